"""What the API says to do next, for whoever sits at a terminal: a command instead of a call, and a page's address.

The API speaks to programs, so it names its own calls; a person at a terminal has the commands.
"""

import re
from collections.abc import Callable
from typing import Final

_COMMANDS: Final = (
    (r"PUT /customers/(\S+)", r"billhook customer put \1 FILE"),
    (r"PUT /subscriptions/(\S+)", r"billhook subscription put \1 FILE"),
    (r"POST /triggers/(\w+)", r"billhook trigger \1 FILE"),
    (r"GET /invoices/([^\s;]+)", r"billhook invoice show \1"),
    (r"GET /invoices\b", "billhook invoice list"),
    (r"GET /events\b", "billhook events list"),
    (r"see /readyz", "see `billhook doctor`"),
)
_PAGE: Final = re.compile(r"\bat /docs\b")


def for_terminal(words: str, url: Callable[[], str]) -> str:
    """`words` with commands for calls; `url` gives the API's own address, and is asked only where `words` need it:
    an error in the file that holds the address is told, too.
    """
    for call, command in _COMMANDS:
        words = re.sub(call, command, words)
    return _PAGE.sub(lambda _: f"at {url().rstrip('/')}/docs", words)
