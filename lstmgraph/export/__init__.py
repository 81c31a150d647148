"""Files of other formats from a compiled recipe."""
