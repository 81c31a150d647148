"""First recipes for `lstmgraph init`: from the package, or generated from a few answers."""
