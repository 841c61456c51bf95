"""Evaluation by protocols that cannot flatter: no point adjustment, no threshold from test data."""
