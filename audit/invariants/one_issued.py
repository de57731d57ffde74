"""I1: however often anything is retried, the API holds at most one issued invoice per key, from one workflow."""

from activities import signatures as step
from audit.books import Book, World
from audit.look import Look
from audit.truth import Remote


def of_invoice(book: Book, world: World, look: Look) -> None:
    if world.truth is None:
        look.missing("the API's audit")
    else:
        _standing(look, book.key, book.remotes)
        _left_draft(book, look)
    _own_id(book, world, look)
    _history(book, world, look)


def of_world(world: World, look: Look) -> None:
    """References that we do not know, or know no longer."""
    for reference, remotes in world.truth.by_reference.items() if world.truth else ():
        if reference not in world.keys:
            _standing(look, reference, remotes)


def _standing(look: Look, key: str, remotes: list[Remote]) -> None:
    standing = [one.name for one in remotes if one.stands]
    look.expect(len(standing) <= 1, key, f"{len(standing)} issued invoices at the API: {', '.join(standing)}")


def _left_draft(book: Book, look: Look) -> None:
    if book.is_settled and any(not one.is_issued for one in book.remotes):
        look.note("a draft was left at the API", book.key)


def _own_id(book: Book, world: World, look: Look) -> None:
    """One invoice at the API stands for one key."""
    if book.row is None or book.row.external_id is None:
        return
    holder = world.external_ids.setdefault(book.row.external_id, book.key)
    look.expect(holder == book.key, book.key, f"its invoice {book.row.external_id} at the API is {holder}'s too")


def _history(book: Book, world: World, look: Look) -> None:
    if book.history is None:
        if world.has_engine:
            look.missing("a history (Temporal holds none)")
        else:
            look.missing("Temporal")
        return
    done = [one for one in book.history.of(step.ISSUE) if one.is_done]
    times = ", ".join(one.at.isoformat() for one in done)
    look.expect(len(done) <= 1, book.key, f"its history completed `issue` {len(done)} times: {times}")
    versions = [one.request.get("version") for one in book.history.of(step.REVISE) if one.is_done]
    look.expect(
        len(set(versions)) == len(versions), book.key, f"its history completed `revise` for versions {versions}"
    )
    if world.chains is None:
        look.missing("Temporal's list of workflows (this server has none)")
    else:
        others = world.chains.get(book.key, set()) - book.history.run_ids
        look.expect(not others, book.key, f"other workflows ran under this key: {', '.join(sorted(others))}")
