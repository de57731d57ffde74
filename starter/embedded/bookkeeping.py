"""Where the embedded stack keeps its journal, and the program that judges it."""

from pathlib import Path

from connectors.bean_check import bean_check
from settings import Settings
from starter.embedded.stack import Stack

__all__ = ["bean_check", "journal"]


def journal(stack: Stack) -> Path:
    """Where the stack's journal is."""
    return Settings(data_dir=stack.data_dir).ledger
