"""I2: the API's numbers have no gap and no repeat, so nothing that we did made it lose one."""

import re
from collections import defaultdict
from typing import Final

from audit.books import World
from audit.look import Look
from audit.truth import Truth

_NUMBER: Final = re.compile(r"(.*?)([0-9]+)")
_NAMED: Final = 20
# Missing numbers that are named one by one; a wider gap is one violation that says how wide it is.


def of_world(world: World, look: Look) -> None:
    if world.truth is None:
        look.missing("the API's audit")
        return
    for series, held in _series(world.truth, look).items():
        _contiguous(series, held, look)
    survey = world.truth.numbers
    words = f"its own survey says contiguous: {survey.get('contiguous')}, missing: {survey.get('missing')}"
    look.expect(survey.get("contiguous") is True and not survey.get("missing"), "the series at the API", words)


def _series(truth: Truth, look: Look) -> dict[str, dict[int, list[str]]]:
    """Per series the invoices by their place in it."""
    found: defaultdict[str, dict[int, list[str]]] = defaultdict(dict)
    for one in truth.invoices:
        number = one.raw.get("number")
        subject = str(one.raw.get("reference") or one.raw.get("id"))
        if not one.is_issued:
            look.expect(not number, subject, f"{one.name} is a draft and has a number")
        elif look.expect(bool(number), subject, f"{one.name} is issued and has no number"):
            taken = _NUMBER.fullmatch(str(number))
            if taken:
                found[taken[1]].setdefault(int(taken[2]), []).append(subject)
    return dict(found)


def _contiguous(series: str, held: dict[int, list[str]], look: Look) -> None:
    for place, subjects in sorted(held.items()):
        if len(subjects) > 1:
            look.expect(False, f"{series}{place:05d}", f"one number for several invoices: {', '.join(subjects)}")
    first, last = min(held), max(held)
    gaps = sorted(set(range(first, last + 1)) - held.keys()) if last - first < len(held) * 1000 else []
    for gap in gaps[:_NAMED]:
        look.expect(False, f"{series}{gap:05d}", f"no invoice has this number, between {first} and {last}")
    if len(gaps) > _NAMED or (not gaps and last - first + 1 != len(held)):
        look.expect(False, series, f"{last - first + 1 - len(held)} numbers between {first} and {last} are missing")
