"""The events of a storm: what recipients really did on their pages, and what else a sender may send about them.

Recipients act on the sandbox while its webhooks are held back (`webhook_drop_rate` 1.0), so that the API's own log
holds a fixed set of events that we have not heard of. To these come genuine events that no page makes: approvals of an
older version, unknown types, amendments of what is not the recipient's, ties in time, views after the end, a request
told under two ids, events of another invoice under our reference. They are signed like all others; the fold has to put
them in their place.

Left out is what the API's contract excludes and nobody could undo: a change dated after the approval, or a second,
later approval of one version. Arriving before the approval such a change looks like any other, and is in the CRM before
the approval unmasks it. That the fold ignores them, in any order, is held by tests/billing.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tests.stack import Stack

PER_INVOICE: Final = 20
FIELDS: Final = ("po_number", "billing_entity", "tax_id", "address", "ap_contact")
_TICK: Final = timedelta(microseconds=1)
Event = dict[str, Any]
Action = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Life:
    """What the recipient of one invoice does, in order: page actions with their forms. `ends`: how it comes to rest."""

    key: str
    actions: tuple[Action, ...]
    ends: str


def life(key: str, draw: random.Random) -> Life:
    """A recipient who looks, amends, asks for changes, and mostly approves in the end."""
    ends = draw.choices(["billed", "cancelled", "open"], [80, 8, 12])[0]
    between: list[Action] = [("amend", _amendment(draw)) for _ in range(draw.randint(4, 7))]
    between += [("change-request", {"message": f"cheaper, please ({draw.random()})"})] * draw.choice([0, 1, 1, 2])
    draw.shuffle(between)
    paid = ["pay"] if ends == "billed" and draw.random() < 0.5 else []
    last = {"billed": ["approve"], "cancelled": ["void"], "open": []}[ends] + paid
    return Life(key, (("", {}), *between, *((action, {}) for action in last)), ends)


def _amendment(draw: random.Random) -> dict[str, str]:
    chosen = draw.sample(FIELDS, draw.choice([1, 1, 2]))
    words = f"{draw.choice('ABC')}-{draw.randint(1, 10**9)}"
    forms = {
        "address": {"address_line1": words, "address_city": "Graz"},
        "ap_contact": {"ap_contact_name": words, "ap_contact_email": "ap@recipient.example"},
    }
    form: dict[str, str] = {}
    for name in chosen:
        form |= forms.get(name, {name: words})
    return form


async def act(stack: Stack, lives: Iterable[Life], draw: random.Random) -> None:
    """Every recipient acts, all interleaved, each in his own order."""
    links = {one.key: await stack.invoice(one.key) for one in lives}
    waiting = {one.key: list(one.actions) for one in lives}
    turns = [key for key, actions in waiting.items() for _ in actions]
    draw.shuffle(turns)
    for key in turns:
        action, form = waiting[key].pop(0)
        await _do(stack, links[key], action, form)


async def _do(stack: Stack, invoice: dict[str, Any], action: str, form: dict[str, Any]) -> None:
    browser = {"Accept": "application/json", "Authorization": "", "User-Agent": "Mozilla/5.0"}
    link, external_id = invoice["link"], invoice["external_id"]
    match action:
        case "":
            answer = await stack.jupiter.get(link, headers=browser)
        case "pay":
            answer = await stack.jupiter.post(f"/_sandbox/invoices/{external_id}/pay")
        case "void":
            path, key = f"/api/v1/invoices/{external_id}/void", {"Idempotency-Key": f"void-{external_id}"}
            answer = await stack.jupiter.post(path, json={"reason": "by hand"}, headers=key)
        case _:
            told = form | ({"version": str(invoice["version"])} if action == "approve" else {})
            answer = await stack.jupiter.post(f"{link}/{action}", data=told, headers=browser)
    assert answer.is_success, f"{action} of {invoice['key']}: {answer.text}"


def all_events(truth: dict[str, Any], draw: random.Random) -> list[Event]:
    """What the API knows and what else is told, in the order in which it happened: `PER_INVOICE` or more for each."""
    of_invoice: defaultdict[str, list[Event]] = defaultdict(list)
    for told in truth["events"]:
        event = {name: value for name, value in told.items() if name != "deliveries"}
        of_invoice[event["data"]["invoice_id"]].append(event)
    numbers = iter(range(10**9))
    found = [
        event
        for real in of_invoice.values()
        for event in (*real, *_further(real, max(0, PER_INVOICE - len(real)), draw, numbers))
    ]
    return sorted(found, key=lambda event: (event["created_at"], event["id"]))


def _further(real: list[Event], count: int, draw: random.Random, numbers: Iterator[int]) -> list[Event]:
    makers = (
        _again_seen, _unknown, _not_theirs, _elsewhere, _stale_approval, _repeated_request, _seen_after_the_end, _tie,
    )  # fmt: skip
    further: list[Event] = []
    while len(further) < count:
        pattern = draw.choice(makers)(real, draw)
        if pattern is not None:
            # '-' sorts before any id that the API makes: in a tie, what really happened there has the last word.
            further.append({"id": f"evt_-{draw.getrandbits(40):x}{next(numbers)}", **pattern})
    return further


def _event(kind: str, at: str, like: Event, **data: Any) -> Event:
    plain = {name: like["data"][name] for name in ("invoice_id", "reference", "version", "status")}
    return {"type": kind, "created_at": at, "data": {**plain, **data}}


def _some_time(real: list[Event], draw: random.Random) -> tuple[str, Event]:
    """A moment just after an event, which need not be the last."""
    event = draw.choice(real)
    return _later(event["created_at"], draw.randint(1, 50)), event


def _later(at: str, ticks: int) -> str:
    moved = datetime.fromisoformat(at) + ticks * _TICK
    return moved.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _again_seen(real: list[Event], draw: random.Random) -> Event | None:
    at, like = _some_time(real, draw)
    return _event("invoice.viewed", at, like)


def _unknown(real: list[Event], draw: random.Random) -> Event | None:
    at, like = _some_time(real, draw)
    return _event(draw.choice(["invoice.reminded", "invoice.printed"]), at, like)


def _not_theirs(real: list[Event], draw: random.Random) -> Event | None:
    at, like = _some_time(real, draw)
    return _event("invoice.amended", at, like, changes={"due_date": {"from": None, "to": "2031-01-01"}})


def _elsewhere(real: list[Event], draw: random.Random) -> Event | None:
    at, like = _some_time(real, draw)
    return _event("invoice.approved", at, like, invoice_id="inv_of_somebody_else")


def _stale_approval(real: list[Event], draw: random.Random) -> Event | None:
    """Of a version that is not current any more."""
    if real[-1]["data"]["version"] == 1:
        return None
    at, like = _some_time(real, draw)
    return _event("invoice.approved", at, like, version=1)


def _repeated_request(real: list[Event], draw: random.Random) -> Event | None:
    """The same request under another id. Only while the invoice lives: an event's fate is final once that has ended."""
    asked = [event for event in real if event["type"] == "invoice.change_requested"]
    if not asked or _ended(real):
        return None
    like = draw.choice(asked)
    again = like["data"]["change_request"]
    return _event(like["type"], _later(like["created_at"], draw.randint(1, 50)), like, change_request=again)


def _seen_after_the_end(real: list[Event], draw: random.Random) -> Event | None:
    ended = _ended(real)
    return _event("invoice.viewed", _later(ended[-1]["created_at"], draw.randint(1, 50)), ended[-1]) if ended else None


def _ended(real: list[Event]) -> list[Event]:
    return [event for event in real if event["type"] in {"invoice.approved", "invoice.voided"}]


def _tie(real: list[Event], draw: random.Random) -> Event | None:
    """The same field in the same microsecond; its id decides against it."""
    amended = [event for event in real if event["type"] == "invoice.amended"]
    if not amended:
        return None
    like = draw.choice(amended)
    changes = {name: {"from": None, "to": "TIE"} for name in like["data"]["changes"] if name == "po_number"}
    return _event(like["type"], like["created_at"], like, changes=changes) if changes else None


def raw(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def kinds(events: Iterable[Event]) -> Counter[str]:
    return Counter(event["type"] for event in events)
