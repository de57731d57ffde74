"""Every page of the reference, by file name: what the code says of itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.site.reference import api, cli, cost, events, policy, settings, states, temporal

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli": cli.text,
    "api": api.text,
    "settings": settings.text,
    "policy": policy.text,
    "states": states.text,
    "events": events.text,
    "temporal": temporal.text,
}
FRAGMENTS: Final[Mapping[str, Callable[[], str]]] = {
    "cost_table": cost.table_of_actions,
    "cost_detail": cost.detail,
    "cost_sum": cost.arithmetic,
}
"""What pages written by hand include."""


def write(folder: Path) -> None:
    """All of them into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in PAGES.items():
        (folder / f"{name}.md").write_text(text(), encoding="utf-8")
    for name, text in FRAGMENTS.items():
        (folder / f"{name}.inc").write_text(text(), encoding="utf-8")
