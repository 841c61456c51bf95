"""Clarion: explainable, calibrated anomaly detection for fleets of devices, served over gRPC."""

__version__ = "0.1.0"
