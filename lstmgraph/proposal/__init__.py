"""A table of someone's own, looked at, and the first recipe that is proposed for it."""
