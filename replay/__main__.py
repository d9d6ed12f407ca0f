"""`python -m replay` and the `replay` command."""

from replay.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
