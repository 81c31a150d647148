"""Render diagnostics as text, as GitHub annotations and as SARIF."""
