"""`python -m leakseg` and the `leakseg` command."""

from leakseg.cli import main

if __name__ == "__main__":
    main()
