"""The way of one request: features, score, calibrate, explain, pull back."""
