"""`python -m starter.cli`: how the embedded stack starts its own parts."""

from starter.cli.app import main

if __name__ == "__main__":
    main()
