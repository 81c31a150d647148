"""Measurements, each as a ratio against hand-written code in the same run."""
