"""Diagnostics, errors, wording and how they are printed."""
