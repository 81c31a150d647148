"""Read YAML text to plain data with lines and columns."""
