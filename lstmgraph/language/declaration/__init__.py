"""A recipe as typed, frozen values, defaults filled in."""
