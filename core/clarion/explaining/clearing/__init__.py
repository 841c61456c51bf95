"""Clearing: what would have to be normal for an alarm not to be raised, family by family."""
