"""`billhook invoice ...`: look at invoices and decide on them, over the HTTP API."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from starter.cli import api
from starter.cli.bodies import read_json
from starter.cli.output import AsJson, data, data_json, rows, say
from starter.cli.showing import shown

app: Final = typer.Typer(help="Look at invoices and decide on them.", no_args_is_help=True)

COLUMNS: Final = ("key", "status", "total", "currency", "version", "customer_id", "waiting_for")

Key = Annotated[str, typer.Argument(help="The invoice's key, for example invoice:project_4821:milestone_3.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the decision, and the recipient does not read it.")]
Revision = Annotated[
    str | None, typer.Option(help="The revision you saw (invoice show names it). Without it: the present one.")
]
PatchFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A JSON file with the edit: line_items, discount, ...")
]


def path_of(key: str, *more: str) -> str:
    return "/".join(["/invoices", quote(key, safe=""), *more])


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="Only this state, for example awaiting_approval.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List invoices, the newest first."""
    found = api.pages("/invoices", {"status": status, "customer_id": customer}, limit)
    fits = " fits" if status or customer else ""
    rows(found, COLUMNS, as_json=as_json, empty=f"no invoice{fits}; `billhook trigger MOTION FILE` starts one")


@app.command()
def show(key: Key, as_json: AsJson = False) -> None:
    """Show one invoice: state, content and versions, whose it is and until when, what can be done, timeline."""
    invoice = api.call("GET", path_of(key))
    if as_json:
        data_json(invoice)
        return
    for line in shown(invoice):
        data(line)


@app.command()
def approve(
    key: Key, note: Annotated[str, typer.Option(help="A word for the record.")] = "",
    revision: Revision = None, patch: PatchFile = None,
) -> None:  # fmt: skip
    """Approve an invoice that waits for a human, with an edit if need be."""
    _decide(key, "approve", note, revision, patch)


@app.command()
def reject(key: Key, reason: Reason, revision: Revision = None) -> None:
    """Reject an invoice that waits for a human: its draft is discarded; a version that is issued already stands."""
    _decide(key, "reject", reason, revision, None)


def _decide(key: str, action: str, note: str, revision: str | None, patch: Path | None) -> None:
    seen = revision or api.call("GET", path_of(key))["revision"]
    body = {"action": action, "revision": seen, "note": note}
    edit = read_json(patch)
    told(key, api.call("POST", path_of(key, "decision"), body=body if edit is None else {**body, "patch": edit}))


@app.command()
def delegate(
    key: Key,
    to: Annotated[str, typer.Option(metavar="NAME", help="The approver who is to decide.")],
    note: Annotated[str, typer.Option(help="A word for the record.")] = "",
) -> None:
    """Put an open approval to somebody else."""
    told(key, api.call("POST", path_of(key, "delegate"), body={"to": to, "note": note}))


@app.command()
def cancel(key: Key, reason: Reason) -> None:
    """Cancel an invoice: a draft is discarded, an issued one voided."""
    told(key, api.call("POST", path_of(key, "cancel"), body={"reason": reason}))


@app.command()
def retry(
    key: Key, reason: Reason = "", patch: PatchFile = None,
    abandon: Annotated[bool, typer.Option("--abandon", help="Give the invoice up instead.")] = False,
) -> None:  # fmt: skip
    """Resume an invoice that is parked in needs_attention, with an edit if need be."""
    body: dict[str, Any] = {"reason": reason, "abandon": abandon}
    edit = read_json(patch)
    told(key, api.call("POST", path_of(key, "retry"), body=body if edit is None else {**body, "patch": edit}))


def told(what: str, answer: Any) -> None:
    """What became of a wish: the state that it led to, and a word if there is one."""
    status = answer.get("status", "accepted") if isinstance(answer, dict) else "accepted"
    data(f"{what}  {status}")
    if isinstance(answer, dict) and answer.get("note"):
        say(str(answer["note"]))
