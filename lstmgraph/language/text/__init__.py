"""Text to data with lines and columns."""
