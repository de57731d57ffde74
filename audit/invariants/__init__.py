"""The ten invariants of the design, one module each; `ALL` in their order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audit.books import Book, World
from audit.invariants import (
    assessed,
    billed,
    cases,
    events,
    follow_up,
    mails,
    numbers,
    one_issued,
    order,
    totals,
)
from audit.look import Look


@dataclass(frozen=True)
class Invariant:
    """`of_invoice` is asked once per invoice, `of_world` once at the end; each adds to the look."""

    name: str
    title: str
    next_step: str
    of_invoice: Callable[[Book, World, Look], None] | None
    of_world: Callable[[World, Look], None] | None = None


ALL: Final = (
    Invariant(
        "I1",
        "one issued invoice per key",
        "void the surplus invoice at the API, then see why its key did not hold it back",
        one_issued.of_invoice,
        one_issued.of_world,
    ),
    Invariant(
        "I2",
        "numbers at the API are contiguous per series",
        "ask the invoicing API's provider for the missing number; Billhook never assigns one",
        None,
        numbers.of_world,
    ),
    Invariant(
        "I3",
        "nothing issued without an assessment or a decision on that revision",
        "have a person look at the issued version; cancel it if it should not have gone out",
        assessed.of_invoice,
    ),
    Invariant(
        "I4",
        "no late event regresses state",
        "compare `billhook invoice show KEY` with the recipient's page; `billhook reconcile` feeds in what is missing",
        order.of_invoice,
    ),
    Invariant(
        "I5",
        "every accepted event is applied, ignored with a reason, or quarantined",
        "see that the API process (its dispatcher) and a worker run, then `billhook events replay` with the event's id;"
        " whoever sent one that the API never sent has our webhook secret: change it",
        events.of_invoice,
        events.of_world,
    ),
    Invariant(
        "I6",
        "no follow-up after a view or in an end state",
        "tell the customer that the mail can be ignored; keep the event's and the mail's times for the bug report",
        follow_up.of_invoice,
    ),
    Invariant(
        "I7",
        "lines less discount equal the total, in minor units, everywhere",
        "compare the lines at the API with `billhook invoice show KEY`; correct the journal by an entry of your own",
        totals.of_invoice,
        totals.of_world,
    ),
    Invariant(
        "I8",
        "billed if and only if the current version was approved",
        "`billhook reconcile` feeds in a missed approval; correct CRM and journal by hand where they say too much",
        billed.of_invoice,
        billed.of_world,
    ),
    Invariant(
        "I9",
        "every open change request has an owner and a deadline",
        "`billhook cases list`, then accept or decline it; name an owner in the policy's `[cases]`",
        cases.of_invoice,
    ),
    Invariant(
        "I10",
        "each mail at most once per (invoice, version, kind)",
        "tell the addressee that the repeat can be ignored; keep both mails for the bug report",
        mails.of_invoice,
        mails.of_world,
    ),
)
