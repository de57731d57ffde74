"""The command line. `main` is the console script; commands import what they need only when they run."""

from starter.cli.app import main

__all__ = ["main"]
