"""The steps of a reconciliation: one page of the API's list compared with our records, or one invoice closely.

Each may be repeated: an event that heals is stored under an id made of what it says, and stored once.
"""

from collections.abc import Iterable
from typing import Final

from temporalio import activity

from activities import reconcile_steps as steps
from billing.held import Held
from billing.reconcile import Difference, Found, compare, is_moving, wants_details, without_invoice
from billing.reconcile_report import Finding, Tally
from billing.remote import Details, RemoteInvoice
from connectors.http import BadAnswer, CallFailed
from connectors.ports import Invoicing
from records import events, reconcile
from records.reconcile import Ledger
from records.session import Database
from telemetry import tracing

_NOT_FOUND: Final = 404
_BATCH: Final = 100
Differences = list[tuple[Found, str, str | None]]


class ReconcileActivities:
    """`invoicing` is asked, never told anything."""

    def __init__(self, invoicing: Invoicing, database: Database) -> None:
        self._invoicing = invoicing
        self._database = database

    @activity.defn(name=steps.PAGE)
    async def page(self, asked: steps.Page) -> steps.PageDone:
        """Compares a page of the API's list. Raises BadAnswer where the list does not go on."""
        survey = await self._invoicing.survey(asked.cursor)
        if survey.next_cursor is not None and survey.next_cursor == asked.cursor:
            raise BadAnswer("GET invoices", "next_cursor: it is the page's own")
        ids = {*survey.unreadable, *(one.external_id for one in survey.invoices)}
        async with self._database.session() as session:
            ledger = await reconcile.held(session, ids, {one.reference or "" for one in survey.invoices})
        tally, found = _compared(survey.invoices, ledger, asked)
        found += [(_unreadable(why), external_id, None) for external_id, why in survey.unreadable.items()]
        async with self._database.transaction() as session:
            await reconcile.mark_seen(session, ids, asked.run)
        await self._feed(found, dry_run=asked.dry_run)
        told = tally.model_copy(update={"findings": _told(found)})
        return steps.PageDone(tally=told, next_cursor=survey.next_cursor)

    @activity.defn(name=steps.LOOK)
    async def look(self, asked: steps.Look) -> Tally:
        """Compares one invoice with what the API's history and the recipient's page tell besides."""
        try:
            remote = await self._invoicing.get(asked.external_id)
        except BadAnswer as error:
            return Tally(compared=1, findings=_told([(_unreadable(str(error)), asked.external_id, None)]))
        except CallFailed as error:
            if error.status != _NOT_FOUND:
                raise
            return await self._gone(asked)
        held = (await self._ledger(remote)).of(remote.external_id, remote.reference)
        now = activity.info().started_time
        if is_moving(remote, held, now, asked.grace):
            return Tally(moving=1)
        wanted = held is not None and wants_details(remote, held)
        details = await self._invoicing.details(remote) if wanted else Details()
        found = _named(compare(remote, held, now, details), remote, held)
        await self._feed(found, dry_run=asked.dry_run)
        return Tally(compared=1, findings=_told(found))

    @activity.defn(name=steps.UNSEEN)
    async def unseen(self, asked: steps.Unseen) -> steps.UnseenDone:
        """Invoices that we hold and that no page of this run had."""
        async with self._database.session() as session:
            found = await reconcile.unseen(session, asked.run, asked.after, _BATCH)
        return steps.UnseenDone(
            external_ids=tuple(external_id for _, external_id in found), after=found[-1][0] if found else ""
        )

    async def _gone(self, asked: steps.Look) -> Tally:
        async with self._database.session() as session:
            held = (await reconcile.held(session, {asked.external_id}, ())).of(asked.external_id, None)
        if held is None:
            return Tally()
        if held.moved_within(asked.grace):
            return Tally(moving=1)
        found = without_invoice(held)
        named: Differences = [(found, asked.external_id, held.key)] if found else []
        return Tally(compared=1, findings=_told(named))

    async def _ledger(self, remote: RemoteInvoice) -> Ledger:
        async with self._database.session() as session:
            return await reconcile.held(session, {remote.external_id}, {remote.reference or ""})

    async def _feed(self, found: Differences, *, dry_run: bool) -> None:
        """The same door as a webhook's: stored first, delivered by the dispatcher."""
        made = [one.event for one, _, _ in found if one.event is not None]
        if dry_run or not made:
            return
        arrivals = [events.Arrival(events.DERIVED, event, event.model_dump_json().encode()) for event in made]
        async with self._database.transaction() as session:
            new = await events.accept_all(session, arrivals)
        for arrival, is_new in zip(arrivals, new, strict=True):
            if is_new:
                tracing.event_stored(arrival.source, arrival.event.id, arrival.event.type)


def _compared(invoices: Iterable[RemoteInvoice], ledger: Ledger, asked: steps.Page) -> tuple[Tally, Differences]:
    now = activity.info().started_time
    compared, moving = 0, 0
    look: list[str] = []
    found: Differences = []
    for remote in invoices:
        held = ledger.of(remote.external_id, remote.reference)
        if is_moving(remote, held, now, asked.grace):
            moving += 1
        elif held is not None and wants_details(remote, held):
            look.append(remote.external_id)
        else:
            compared += 1
            found += _named(compare(remote, held, now), remote, held)
    return Tally(compared=compared, moving=moving, look=tuple(look)), found


def _named(found: Iterable[Found], remote: RemoteInvoice, held: Held | None) -> Differences:
    return [(one, remote.external_id, held.key if held else remote.reference) for one in found]


def _told(found: Differences) -> tuple[Finding, ...]:
    return tuple(Finding.of(one, external_id, key) for one, external_id, key in found)


def _unreadable(why: str) -> Found:
    return Found(Difference.UNREADABLE, why, "look at it in the invoicing API; `billhook doctor` compares the fields")
