"""Edits of recipe texts, which keep comments: formatting, and migration to a new version."""
