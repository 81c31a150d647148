"""``python -m lstmgraph``: the same as the command ``lstmgraph``."""

from lstmgraph.cli import main

main()
