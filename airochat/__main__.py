"""Lets ``python -m airochat`` do what the console script does."""

from airochat.cli import main

if __name__ == "__main__":
    main()
