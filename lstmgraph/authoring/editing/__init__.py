"""Changes to the text of recipes: their layout, their version. Comments are kept."""
