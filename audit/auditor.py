"""The audit: every invoice's books, page by page, past every invariant; then what is of no single invoice."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from email.message import Message

from temporalio.client import Client
from temporalio.service import RPCError

from audit.books import Book, World
from audit.histories import History, chains, late_running, read_histories
from audit.invariants import ALL, events
from audit.journal import read_journal
from audit.look import Look
from audit.reading import key_pages, orphans, read_books
from audit.report import AuditReport
from audit.sources import Sources
from audit.truth import Remote, Truth

Progress = Callable[[int], None]


async def audit(sources: Sources, progress: Progress | None = None) -> AuditReport:
    """I1 to I10 over everything that `sources` reach. `progress` hears how many invoices are through.

    Reads only. Raises what the database raises; any other source that does not answer is left out and named.
    """
    world = await _world(sources)
    looks = {one.name: Look(one.next_step) for one in ALL}
    async for keys in key_pages(sources.database):
        for book in await _books(sources, world, keys):
            _pass(book, world, looks)
        if progress:
            progress(len(world.keys))
    async for rows in orphans(sources.database):
        for row in rows:
            events.orphan(row, world, looks["I5"])
    for one in ALL:
        if one.of_world:
            one.of_world(world, looks[one.name])
    return AuditReport(tuple(looks[one.name].result(one.name, one.title) for one in ALL))


def _pass(book: Book, world: World, looks: dict[str, Look]) -> None:
    world.keys.add(book.key)
    for one in ALL:
        if one.of_invoice:
            one.of_invoice(book, world, looks[one.name])


async def _world(sources: Sources) -> World:
    world = World(
        as_of=sources.as_of,
        truth=None if sources.truth is None else Truth.of(sources.truth),
        journal=None if sources.ledger is None else await read_journal(sources.ledger),
        sink=None if sources.mails is None else _by_message_id(sources.mails),
    )
    if sources.client is not None:
        await _ask_engine(world, sources.client)
    return world


async def _ask_engine(world: World, client: Client) -> None:
    try:
        world.chains = await chains(client)
        world.late_running = await late_running(client)
        world.has_engine = True
    except RPCError:
        world.has_engine = False


def _by_message_id(mails: Sequence[Message]) -> dict[str, list[Message]]:
    """By the part of the Message-ID that a step decides."""
    found: defaultdict[str, list[Message]] = defaultdict(list)
    for mail in mails:
        found[str(mail["Message-ID"] or "").strip().strip("<>").partition("@")[0]].append(mail)
    return dict(found)


async def _books(sources: Sources, world: World, keys: list[str]) -> list[Book]:
    """Histories first: what a closed workflow told was told before it closed, so our records have it by then."""
    histories: dict[str, History | None] = {}
    if sources.client is not None and world.has_engine:
        try:
            histories = await read_histories(sources.client, keys)
        except RPCError:
            # Gone in the middle: the rest is compared without it, and counted as such.
            world.has_engine = False
    books = await read_books(sources.database, keys)
    for book in books:
        book.history = histories.get(book.key)
        book.remotes = _remotes(book, world)
        book.postings = world.journal.entries.get(book.key, []) if world.journal else []
        book.is_settled = _is_settled(book, world)
    return books


def _remotes(book: Book, world: World) -> list[Remote]:
    """What the API holds under our reference or under the id on record."""
    if world.truth is None:
        return []
    found = {one.raw["id"]: one for one in world.truth.by_reference.get(book.key, [])}
    named = world.truth.by_id.get(book.row.external_id or "") if book.row else None
    return list((found | ({named.raw["id"]: named} if named else {})).values())


def _is_settled(book: Book, world: World) -> bool:
    if book.row is None or not book.status.is_end or book.row.updated_at >= world.as_of:
        return False
    return book.history is None or book.history.closed_as is not None
