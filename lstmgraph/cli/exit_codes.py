"""What a command's process ends with."""

RECIPE_IS_WRONG = 1
COMMAND_LINE_IS_WRONG = 2
INTERRUPTED = 130
"""What shells give for Ctrl-C."""
