"""A dispatcher's claims on invoices: several API processes deliver side by side, and each invoice's events in order.

A claim is a lease in the records. Who holds it says so again while he works, and stops before the next signal when he
could not; a dead one's claims are everybody's when their time is over. Their clocks may be apart by as much as is left
of a lease when it is renewed.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from records import claims
from records.events import Due
from records.session import Database

LEASE_S: Final = 10.0
# How long a dead dispatcher's invoices wait. Twice one call to Temporal, which is what runs on when a lease was lost.
RENEW_S: Final = LEASE_S / 3
# One renewal may fail and the next still comes in time.

log = structlog.get_logger(__name__)


class Claims:
    """Of one holder; two of them in a process are two holders."""

    def __init__(self, database: Database, lease_s: float = LEASE_S) -> None:
        self._database, self._lease_s = database, lease_s
        self.holder = token_hex(8)
        self._until: dict[str, float] = {}

    async def take(self, wanted: Mapping[str, Sequence[Due]]) -> dict[str, list[Due]]:
        """What of `wanted`, per name, is ours to deliver now; names that others hold are not in it."""
        at, until, ends = self._terms()
        async with self._database.transaction() as session:
            names = await claims.claim(session, self.holder, wanted.keys(), at, until)
            rows = [row for name in names for row in wanted[name]]
            due = {(row.id, row.source): row for row in await claims.still_due(session, rows, at)} if rows else {}
            # In the order in which they were read, with what is known of them now.
            found = {name: [due[id_] for row in wanted[name] if (id_ := (row.id, row.source)) in due] for name in names}
            await claims.release(session, self.holder, {name for name in found if not found[name]})
        taken = {name: found[name] for name in wanted if found.get(name)}
        self._until |= dict.fromkeys(taken, ends)
        return taken

    def holds(self, name: str) -> bool:
        """Whether nobody else can have it yet."""
        return time.monotonic() < self._until.get(name, 0.0)

    async def renew(self) -> None:
        """Once more for as long; called every `RENEW_S`. Raises what the database raises."""
        if not self._until:
            return
        at, until, ends = self._terms()
        names = set(self._until)
        async with self._database.transaction() as session:
            await claims.renew(session, self.holder, names, until)
            await claims.forget(session, at)
        # What was given back meanwhile stays given back; what had lapsed may be another's.
        self._until |= {name: ends for name in names if self.holds(name)}

    def end(self, name: str) -> None:
        """It is not renewed any more; whoever writes the last of it gives it back in the same transaction."""
        self._until.pop(name, None)

    async def give_back(self, session: AsyncSession, names: Collection[str]) -> None:
        await claims.release(session, self.holder, names)

    async def let_go(self) -> None:
        """Give everything back; where the database does not take it, the leases end by themselves."""
        self._until.clear()
        try:
            async with self._database.transaction() as session:
                await claims.release_all(session, self.holder)
        except (SQLAlchemyError, OSError) as error:
            log.warning("claims_left", cause=str(error)[:200])

    def _terms(self) -> tuple[datetime, datetime, float]:
        """Now, when a claim of now ends, and the same by the clock that nobody sets."""
        at = datetime.now(UTC)
        return at, at + timedelta(seconds=self._lease_s), time.monotonic() + self._lease_s
