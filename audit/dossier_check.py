"""Is a dossier whole, and does it agree with itself? Asked of its bytes alone: no database, no network, no clock.

First every byte: what the file says must chain from its first entry to its last, and be spelt as it is spelt by
`audit/dossier.py`. Then what it says, by formulas that hold for as long as the format does: the trigger's hash, each
content's revision, the trail's own chain, and every decision in that trail.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from audit.dossier import FORMAT, rendered
from billing.intent import canonical_hash
from billing.trail import TrailEntry, broken, genesis

_HEADING: Final = {"format", "key", "entries", "counts", "head", "trail_head"}
_ENTRY: Final = {"place", "kind", "body", "prev", "hash"}
_BEFORE: Final = 1
# Lines before that of the first entry.


class Broken(Exception):
    """`where` names the entry, or the line where no entry can be named; `why` says what is wrong with it."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


@dataclass(frozen=True)
class Verified:
    """What was looked at and found whole: entries per kind, and the hashes that stand for all of it."""

    key: str
    counts: dict[str, int]
    head: str
    trail_head: str


def verify(data: bytes) -> Verified:
    """Raises Broken, naming the first thing that is wrong."""
    found = _read(data)
    entries = _entries(found)
    _chained(found["key"], entries)
    _closed(found, entries)
    _spelt(data, found, entries)
    _says(found, entries)
    counts = dict(Counter(entry["kind"] for entry in entries))
    return Verified(found["key"], counts, found["head"], found["trail_head"])


def _read(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Broken(_line(data.count(b"\n", 0, error.start) + 1), "it is no UTF-8") from error
    except json.JSONDecodeError as error:
        raise Broken(_line(error.lineno), f"it is no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise Broken("the file", f"it is no JSON that can be read: {error}") from error
    if not isinstance(found, dict) or set(found) != _HEADING or not _are_text(found, "format", "key", "trail_head"):
        raise Broken(_line(1), "it is no dossier")
    if found["format"] != FORMAT:
        raise Broken(_line(1), f"the format is {found['format']}, this version reads {FORMAT}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _line(number: int) -> str:
    return f"line {number}"


def _are_text(found: dict[str, Any], *names: str) -> bool:
    return all(isinstance(found[name], str) for name in names)


def _entries(found: dict[str, Any]) -> list[dict[str, Any]]:
    entries = found["entries"]
    if not isinstance(entries, list) or not entries:
        raise Broken(_line(1), "it has no entries")
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or set(entry) != _ENTRY or not _are_text(entry, "kind", "prev", "hash"):
            raise Broken(f"entry {place}", "it is no entry: place, kind, body, prev and hash are what one has")
    return entries


def _name(entry: dict[str, Any]) -> str:
    return f"entry {entry['place']} ({entry['kind']})"


def _chained(key: str, entries: Iterable[dict[str, Any]]) -> None:
    prev = _hashed({"format": FORMAT, "key": key}, _line(1))
    for place, entry in enumerate(entries, start=1):
        if entry["place"] != place:
            raise Broken(_name(entry), f"it stands in place {place}")
        # Its own hash first: where an entry was changed, it is the one to name, and not the one after it.
        if entry["hash"] != _hashed({name: entry[name] for name in _ENTRY - {"hash"}}, _name(entry)):
            raise Broken(_name(entry), "it was changed: its hash is not that of what it says")
        if entry["prev"] != prev:
            raise Broken(_name(entry), "it does not follow what stands before it")
        prev = entry["hash"]


def _hashed(value: dict[str, Any], where: str) -> str:
    try:
        return canonical_hash(value)
    except UnicodeEncodeError as error:
        raise Broken(where, "it holds text that is no Unicode") from error


def _closed(found: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """The last line says how many there were and how they ended: what was cut off at the end is missed there."""
    counts = Counter(entry["kind"] for entry in entries)
    if found["counts"] != counts:
        raise Broken(_last(entries), f"it counts {found['counts']}, there are {dict(counts)}")
    if found["head"] != entries[-1]["hash"]:
        raise Broken(_last(entries), f"its head is not the hash of {_name(entries[-1])}")


def _last(entries: list[dict[str, Any]]) -> str:
    return f"the last line, {len(entries) + _BEFORE + 1}"


def _spelt(data: bytes, found: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """Byte for byte as it is written: no space more, no other order, no key twice."""
    try:
        right = rendered(found["key"], entries, found["trail_head"])
    except UnicodeEncodeError as error:
        raise Broken(_last(entries), "it holds text that is no Unicode") from error
    if data == right:
        return
    pairs = zip(data.split(b"\n"), right.split(b"\n"), strict=False)
    number = next((number for number, (is_, should) in enumerate(pairs, start=1) if is_ != should), 0)
    place = number - _BEFORE
    where = _name(entries[place - 1]) if 0 < place <= len(entries) else _line(number) if number else "the end"
    raise Broken(where, "it is not spelt as a dossier is")


def _says(found: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """What the entries say of each other."""
    if [entry["place"] for entry in entries if entry["kind"] == "trigger"] != [1]:
        raise Broken("entry 1", "the trigger is not the first entry, or not the only one")
    try:
        _trigger(found["key"], entries[0])
        _contents(entry for entry in entries if entry["kind"] == "content")
        trail = _trail(found, entries)
        _decisions((entry for entry in entries if entry["kind"] == "decision"), trail)
    except (KeyError, TypeError, AttributeError) as error:
        raise Broken("the file", f"an entry lacks what its kind has: {error}") from error


def _trigger(key: str, entry: dict[str, Any]) -> None:
    payload = entry["body"]["payload"]
    if payload["key"] != key:
        raise Broken(_name(entry), f"it is the trigger of {payload['key']}")
    billed = {name: value for name, value in payload.items() if name != "source"}
    if canonical_hash(billed) != entry["body"]["payload_hash"]:
        raise Broken(_name(entry), "payload_hash is not the hash of its payload")


def _contents(entries: Iterable[dict[str, Any]]) -> None:
    for entry in entries:
        body = entry["body"]
        if body["commercial"] is None:
            continue
        revision = canonical_hash({"version": body["version"], **body["commercial"]})[: len(body["revision"])]
        if not body["revision"] or revision != body["revision"]:
            raise Broken(_name(entry), f"revision {body['revision']} is not the hash of its content")


def _trail(found: dict[str, Any], entries: list[dict[str, Any]]) -> list[TrailEntry]:
    trail = []
    for entry in entries:
        if entry["kind"] == "trail":
            try:
                trail.append(TrailEntry.model_validate(entry["body"]))
            except ValidationError as error:
                raise Broken(_name(entry), "it is no entry of a trail") from error
    begins = genesis(found["key"], entries[0]["body"]["payload_hash"])
    wrong = broken(trail, begins)
    if wrong:
        raise Broken("the trail", wrong)
    if found["trail_head"] != (trail[-1].hash if trail else begins):
        raise Broken(_last(entries), "its trail_head is not where the trail ends")
    return trail


def _decisions(entries: Iterable[dict[str, Any]], trail: list[TrailEntry]) -> None:
    """Every decision on record stands in the trail, in which nothing can be changed afterwards."""
    recorded = [{**entry.model_dump(mode="json"), **entry.body} for entry in trail]
    for entry in entries:
        body = {name: value for name, value in entry["body"].items() if name != "position"}
        if not any(body.items() <= one.items() for one in recorded):
            raise Broken(_name(entry), f"the trail holds no such decision by {body['actor']}")
