"""I10: one mail per (invoice, version, kind). What the sink got is counted by Message-ID, which is the step's own.

A worker that dies between handing a mail over and writing that down hands it over again under the same Message-ID,
which mail systems show once. Such a repeat is told with its count; it is a violation where no second attempt explains
it.
"""

from activities import signatures as step
from audit.books import Book, World
from audit.look import Look
from billing.keys import step_key
from connectors.smtp import message_id
from records.tables import MailRow


def of_invoice(book: Book, world: World, look: Look) -> None:
    for mail in book.mails:
        _row(book, mail, look)
        if world.sink is None:
            look.missing("the mail sink")
        else:
            _in_sink(book, mail, world, look)
    _by_api(book, look)


def of_world(world: World, look: Look) -> None:
    """A mail that none of our rows stands for was sent past the books."""
    for name, copies in (world.sink or {}).items():
        if name not in world.message_ids:
            words = (
                f"{len(copies)} in the sink, to {copies[0]['To']}, {copies[0]['Subject']!r}: no row of ours claims it"
            )
            look.expect(False, f"mail {name}", words)


def local_part(step_key_: str) -> str:
    """The part of a Message-ID that the step decides; the domain is a setting."""
    return message_id(step_key_, "x").strip("<>").partition("@")[0]


def _name(book: Book, mail: MailRow) -> str:
    return f"{book.key} V{mail.version} {mail.kind}"


def _row(book: Book, mail: MailRow, look: Look) -> None:
    expected = step_key(book.key, f"mail-{mail.kind}", mail.version)
    words = f"it went out under the step {mail.step_key}, not {expected}"
    look.expect(mail.step_key == expected, _name(book, mail), words)


def _in_sink(book: Book, mail: MailRow, world: World, look: Look) -> None:
    name = local_part(mail.step_key)
    world.message_ids.add(name)
    copies = (world.sink or {}).get(name, [])
    if len(copies) <= 1:
        look.expect(True, _name(book, mail), "")
        return
    attempts = _attempts(book, mail)
    words = f"to {copies[0]['To']}, {len(copies)} times in the sink under {name}; attempts: {attempts}"
    if look.expect(attempts is None or len(copies) <= attempts, _name(book, mail), words):
        look.note("handed over again after a crash, under the same Message-ID", _name(book, mail))


def _attempts(book: Book, mail: MailRow) -> int | None:
    """How often the step was tried, None where no history says."""
    if book.history is None:
        return None
    asked = [one for one in book.history.of(step.SEND_MAIL) if _is(one.request, mail)]
    return sum(one.attempts for one in asked)


def _is(request: dict[str, object], mail: MailRow) -> bool:
    return (request.get("kind"), request.get("version")) == (mail.kind, mail.version)


def _by_api(book: Book, look: Look) -> None:
    """The link goes by our mail or by the API's, never by both."""
    for remote in book.remotes:
        sent = int(remote.raw.get("mailed") or 0)
        if sent:
            ours = [mail for mail in book.mails if mail.kind == "link" and mail.version == 1]
            words = f"the API mailed the link {sent} times and we {len(ours)} times"
            look.expect(sent + len(ours) <= 1, f"{book.key} V1 link", words)
