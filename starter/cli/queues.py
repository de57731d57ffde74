"""`billhook approvals ...`: the invoices that wait for a person."""

from typing import Annotated, Any, Final

import typer

from starter.cli import api
from starter.cli.output import AsJson, rows

approvals: Final = typer.Typer(help="Invoices that wait for a human.", no_args_is_help=True)

COLUMNS: Final = (
    "key", "total", "currency", "customer_id", "assignee", "deadline", "approved_by", "revision", "reason",
)  # fmt: skip

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


@approvals.callback()
def _group() -> None:
    """Keeps `list` a command of its own while it is the only one."""


@approvals.command("list")
def approvals_list(
    assignee: Annotated[str | None, typer.Option(help="Only what is put to this person.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the invoices that wait for a human: to whom it is put, by when, why. The next deadline comes first."""
    found = api.pages("/inbox", {"kind": "approval", "assignee": assignee}, limit)
    nobody = f"nothing is put to {assignee}" if assignee else "no invoice waits for a person"
    empty = f"{nobody}; `billhook policy explain FILE` says which trigger would"
    rows(found if as_json else [_row(one) for one in found], COLUMNS, as_json=as_json, empty=empty)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    approved_by = ", ".join(one["approved_by"]) or None
    return {**one, "assignee": one["assignee_or_owner"] or "anyone", "approved_by": approved_by}
