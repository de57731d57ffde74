"""Usage events as they come, in batches: what can be read is counted, what cannot is refused by name, none is lost."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from billing.errors import BadInput
from billing.metering import UsageEvent
from records.metering import Groups, Taken, take
from records.session import Database

MOST_EVENTS: Final = 1000
# One transaction of a fraction of a second, in which nobody else writes to SQLite.


@dataclass(frozen=True)
class Unusable:
    """What was sent as an event and is none."""

    event_id: str
    error: BadInput

    @classmethod
    def of(cls, body: Any, error: BadInput) -> Self:
        name = body.get("event_id") if isinstance(body, dict) else None
        return cls(sendable(name[:200]) if isinstance(name, str) else "", error)


def sendable(text: str) -> str:
    """`text` as an answer can hold it: JSON may write half of a surrogate pair, and no encoding has one."""
    return text.encode(errors="replace").decode()


class _NotMeant(Exception):
    """Rolls a dry run back."""


async def count(
    database: Database, groups: Groups, sent: Sequence[UsageEvent | Unusable], *, dry_run: bool = False
) -> tuple[list[Taken], list[str]]:
    """What becomes of each, in their order, and the keys of the overage invoices that came of them.

    One transaction: what is answered is committed, except in a dry run. Raises whatever the database raises; then
    nothing was counted, and all of it can be sent again.
    """
    usable = [one for one in sent if isinstance(one, UsageEvent)]
    answers: list[Taken] = []
    overages: list[str] = []
    with suppress(_NotMeant):
        async with database.transaction() as session:
            if usable:
                answers, overages = await take(session, usable, groups, datetime.now(UTC))
            if dry_run:
                raise _NotMeant
    found = iter(answers)
    results = [Taken.refused(one.event_id, one.error) if isinstance(one, Unusable) else next(found) for one in sent]
    return results, overages
