"""`billhook approvals|cases ...`: what waits for a person."""

from typing import Annotated, Final

import typer

from starter.cli import api
from starter.cli.output import AsJson, rows

approvals: Final = typer.Typer(help="Invoices that wait for a human.", no_args_is_help=True)
cases: Final = typer.Typer(help="Open change requests of recipients.", no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


@approvals.command("list")
def approvals_list(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the invoices that wait for a human, with the reasons why."""
    found = api.pages("/approvals", {}, limit)
    for one in found:
        one["reasons"] = [reason["text"] for reason in (one.get("assessment") or {}).get("reasons", [])]
    if not as_json:
        found = [{**one, "reasons": "; ".join(one["reasons"])} for one in found]
    rows(found, ("key", "total", "currency", "customer_id", "revision", "reasons"), as_json=as_json)


@cases.command("list")
def cases_list(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List open change requests with owner and deadline."""
    found = api.pages("/cases", {}, limit)
    rows(found, ("key", "id", "version", "status", "owner", "deadline", "message"), as_json=as_json)
