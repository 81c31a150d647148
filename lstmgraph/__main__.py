"""``lstmgraph``, and ``python -m lstmgraph``: the commands."""

import sys


def main() -> None:
    """Run the command; Ctrl-C, while what it needs is imported, ends it without a traceback."""
    try:
        from lstmgraph.cli import main as run  # noqa: PLC0415 - takes a moment
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
