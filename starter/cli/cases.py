"""`billhook cases ...`: what recipients ask for beside what stands, and our answer: take it, accept it, decline it."""

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from starter.cli import api
from starter.cli.bodies import read_json
from starter.cli.exits import Exit, Stop
from starter.cli.invoices import Key, PatchFile, path_of, told
from starter.cli.output import AsJson, data_json, rows
from starter.cli.queues import Limit

app: Final = typer.Typer(help="Change requests of recipients.", no_args_is_help=True)

COLUMNS: Final = ("key", "id", "version", "invoice_status", "owner", "remind_at", "deadline", "breached_at", "message")

Case = Annotated[
    str | None, typer.Argument(metavar="CASE", help="The change request's id; needed only where several are open.")
]
Parts = Annotated[
    str | None,
    typer.Option(help="Accept only these parts of the proposal: line_items,discount,payment_terms,due_date."),
]
Note = Annotated[str, typer.Option(help="A word for the record.")]


@app.command("list")
def list_(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List open change requests with owner, reminder and deadline; the next deadline comes first."""
    empty = "no change request is open; a recipient makes one on his invoice's page"
    rows(api.pages("/cases", {}, limit), COLUMNS, as_json=as_json, empty=empty)


@app.command()
def show(key: Key, case: Case = None, as_json: AsJson = False) -> None:
    """Show what the recipient asks for beside what stands, and the effect on the total."""
    found = api.call("GET", _path(key, case or _one_of(key, closed_too=True)))
    if as_json:
        data_json(found)
        return
    from starter.cli.side_by_side import show_case  # noqa: PLC0415 - commands load what they need when they run

    show_case(found)


@app.command()
def take(key: Key, case: Case = None, note: Note = "") -> None:
    """Say that you work on it; that counts as the first response."""
    _answer(key, case, {"action": "take", "note": note})


@app.command()
def accept(
    key: Key, case: Case = None, patch: PatchFile = None, parts: Parts = None, note: Note = "",
) -> None:  # fmt: skip
    """Make the next version of what the recipient proposes: all of it, some parts, or the edit in a file instead."""
    body: dict[str, Any] = {"action": "accept", "note": note}
    if patch is not None:
        body["patch"] = read_json(patch)
    if parts is not None:
        body["parts"] = [part.strip() for part in parts.split(",") if part.strip()]
    _answer(key, case, body)


@app.command()
def decline(
    key: Key, case: Case = None, *, answer: Annotated[str, typer.Option(help="Why not; the recipient reads it.")]
) -> None:
    """Decline with an answer; the version that stands stays as it is."""
    _answer(key, case, {"action": "decline", "note": answer})


def _answer(key: str, case: str | None, body: dict[str, Any]) -> None:
    case_id = case or _one_of(key)
    told(f"{key}  {case_id}", api.call("POST", f"{_path(key, case_id)}/decision", body=body))


def _path(key: str, case_id: str) -> str:
    return path_of(key, "change-requests", quote(case_id, safe=""))


def _one_of(key: str, *, closed_too: bool = False) -> str:
    """The case that is meant where none is named: the one that is open, else the only one. Raises Stop."""
    cases = api.call("GET", path_of(key))["cases"]
    found = [one["id"] for one in cases if one["status"] == "open"]
    if not found and closed_too:
        found = [one["id"] for one in cases]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise Stop(Exit.USAGE, f"cause: {key} has {len(found)} change requests", f"next:  name one: {', '.join(found)}")
    raise Stop(Exit.NOT_FOUND, f"cause: {key} has no open change request", "next:  billhook cases list")
