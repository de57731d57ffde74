"""`docs/motions.md` out of the code: per motion the fields that we have, those that we do not have, those that the
recipient fills. `make motions-doc` writes it; a test fails while it is stale.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from billing.intent import Motion
from billing.mappings import System
from billing.motions import TRIGGERS, Trigger
from billing.ownership import OWNERSHIP, Owner, Ownership
from starter.vendors import github, hubspot, jira, linear, standard, stripe

TARGET: Final = Path("docs/motions.md")
FILLS: Final = {
    System.GITHUB: github.FILLS,
    System.LINEAR: linear.FILLS,
    System.JIRA: jira.FILLS,
    System.HUBSPOT: hubspot.FILLS,
    System.STRIPE: stripe.FILLS,
    System.GENERIC: standard.GENERIC_FILLS,
    System.CLOUDEVENTS: standard.CLOUDEVENTS_FILLS,
}
# Where each system's events have a trigger's fields; each said beside the code that fills it.
_FOREIGN: Final = {
    Owner.API: "We do not have, since they are the invoicing API's",
    Owner.RECIPIENT: "The recipient fills",
}
_HEAD: Final = """# Billing motions

Written by `make motions-doc` from the triggers, the vendors' modules and `billing/ownership.py`; do not edit it here.
A motion is one way of billing. It starts with a call of `POST /triggers/{motion}`, or with a signed webhook of another
system that `motions.toml` maps to it (`examples/motions.toml`). Of every invoice we have what the trigger brings,
the invoicing API adds what is its own, and the recipient fills the rest; nobody guesses for another.
"""


def text() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *(_motion(motion, TRIGGERS[motion]) for motion in TRIGGERS), *_others()])


def _motion(motion: Motion, trigger: type[Trigger]) -> str:
    words = " ".join((trigger.__doc__ or "").split())
    sources = {system: fills[motion] for system, fills in FILLS.items() if motion in fills}
    lines = [f"## {motion.value}", "", words, "", f"We have what `POST /triggers/{motion.value}` brings:", ""]
    lines += _table(("field", "needed"), [(f"`{name}`", _needed(trigger, name)) for name in trigger.model_fields])
    for owner, said in _FOREIGN.items():
        lines += [f"{said}: {_listed(item.field for item in OWNERSHIP if item.owner is owner)}.", ""]
    for system, filled in sources.items():
        lines += [f"### {motion.value} from {system.value}", "", *_filled(trigger, filled)]
    return "\n".join(lines)


def _needed(trigger: type[Trigger], name: str) -> str:
    field = trigger.model_fields[name]
    if field.is_required():
        return "yes"
    return "no" if field.default is None else f"no, `{field.default}` without it"


def _filled(trigger: type[Trigger], filled: dict[str, str]) -> Iterator[str]:
    """Fields that come from the same place share a row."""
    places: dict[str, list[str]] = {}
    for name in trigger.model_fields:
        if name in filled:
            places.setdefault(filled[name], []).append(name)
    yield from _table(("we have", "from"), [(_listed(names), place) for place, names in places.items()])
    if lacking := [name for name in trigger.model_fields if name not in filled]:
        yield f"We do not have: {_listed(lacking)}."
        yield ""


def _others() -> Iterator[str]:
    yield "## What no trigger brings, whatever the motion"
    yield ""
    for owner, words in _FOREIGN.items():
        yield f"{words}:"
        yield ""
        yield from _table(("field", "remark"), [_owned(item) for item in OWNERSHIP if item.owner is owner])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _owned(item: Ownership) -> tuple[str, str]:
    return f"`{item.field}`", item.note


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> list[str]:
    shown = [f"| {left} | {right} |".replace("|  |", "| |") for left, right in [head, ("---", "---"), *rows]]
    return [*shown, ""]


def main() -> None:
    """Writes it, or with `--check` exits 1 while it is stale."""
    if "--check" in sys.argv[1:]:
        raise SystemExit(TARGET.read_text(encoding="utf-8") != text())
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
