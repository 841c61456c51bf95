"""Compiled numeric kernels, shared by detectors, extractors and explainers; one family a module."""
