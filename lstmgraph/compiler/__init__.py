"""A recipe made into a graph: wired, checked, with the shapes, masks and states of every call."""
