"""The recipe as typed, frozen values with defaults filled in."""
