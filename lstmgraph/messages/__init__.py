"""Diagnostics, errors, their wording, and how they are printed."""
