"""What must be true of the books after the kills, read from every side: ours, the API's, the journal, the mails.

A second opinion beside the auditor, from what our HTTP API shows instead of our tables: two checks that share no code
seldom share a blind spot.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import Any

from audit.sources import read_mails
from connectors.beancount_text import BEGIN
from starter.embedded import bookkeeping
from starter.embedded.demo.compare import totals
from starter.embedded.stack import Stack


async def disagreements(stack: Stack, seen: dict[str, dict[str, Any]], truth: dict[str, Any]) -> list[str]:
    """A sentence per thing that is there twice, or not at all, or says something else on the other side."""
    journal = bookkeeping.journal(stack)
    wrong = disagreements_of(seen, truth, journal, await asyncio.to_thread(read_mails, stack.data_dir / "mail"))
    refused = await bookkeeping.bean_check(journal) if journal.exists() else ""
    return wrong + ([f"bean-check refuses the journal: {refused}"] if refused else [])


def disagreements_of(
    seen: dict[str, dict[str, Any]], truth: dict[str, Any], journal: Path, mails: Iterable[Message]
) -> list[str]:
    """The same without what only bean-check finds. `seen` by key as our API shows them, `truth` as the sandbox does."""
    wrong = [*_one_per_key(seen, truth), *_as_the_api_says(seen, truth), *_one_mail_each(mails)]
    wrong += _one_posting_per_billed(seen, journal) + totals(list(seen.values()), truth, journal).disagreements()
    if not truth["numbers"]["contiguous"]:
        wrong.append(f"the API's numbers have a gap: {truth['numbers']['missing']}")
    return wrong


def _one_per_key(seen: dict[str, dict[str, Any]], truth: dict[str, Any]) -> list[str]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in truth["invoices"]:
        found[one["reference"]].append(f"{one['id']} {one['status']}")
    wrong = [f"{key} has {len(ids)} invoices at the API: {ids}" for key, ids in found.items() if len(ids) > 1]
    wrong += [f"the API holds {ids} of {key}, which nobody triggered" for key, ids in found.items() if key not in seen]
    return wrong


def _as_the_api_says(seen: dict[str, dict[str, Any]], truth: dict[str, Any]) -> list[str]:
    fits = {"billed": {"approved", "paid"}, "cancelled": {"voided", "discarded"}, "rejected": {"discarded", "voided"}}
    theirs = {one["reference"]: one for one in truth["invoices"]}
    wrong = []
    for key, ours in seen.items():
        other = theirs.get(key, {"status": "discarded", "version": ours["version"], "total_cents": ours["total_minor"]})
        if other["status"] not in fits.get(ours["status"], {ours["status"]}):
            wrong.append(f"{key} is {ours['status']} here and {other['status']} at the API")
        if ours["status"] == "billed":
            here, there = (ours["version"], ours["total_minor"]), (other["version"], other["total_cents"])
            if here != there:
                wrong.append(f"{key}: version and total are {here} here and {there} at the API")
    return wrong


def _one_posting_per_billed(seen: dict[str, dict[str, Any]], journal: Path) -> list[str]:
    text = journal.read_text() if journal.exists() else ""
    posted = Counter(line.split()[3] for line in text.splitlines() if line.startswith(BEGIN))
    billed = {key for key, one in seen.items() if one["status"] == "billed"}
    wrong = [f"{key} is posted {count} times" for key, count in posted.items() if count > 1]
    wrong += [f"{key} is billed and not posted" for key in sorted(billed - posted.keys())]
    return wrong + [f"{key} is posted and not billed" for key in sorted(posted.keys() - billed)]


def _one_mail_each(mails: Iterable[Message]) -> list[str]:
    """A mail whose worker died before it heard that it was taken comes again, as the very same mail."""
    bodies: defaultdict[str, set[str]] = defaultdict(set)
    for mail in mails:
        bodies[str(mail["Message-ID"])].add(f"{mail['To']} {mail['Subject']}")
    return [f"mail {name} says different things: {sorted(said)}" for name, said in bodies.items() if len(said) > 1]
