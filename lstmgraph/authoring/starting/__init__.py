"""First recipes: one that comes with the package, or one made from a few answers."""
