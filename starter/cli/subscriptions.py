"""`billhook subscription ...`: what is billed by the month, over the HTTP API."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from starter.cli import api
from starter.cli.bodies import read_json
from starter.cli.output import AsJson, data, data_json, field, rows
from starter.cli.queues import Limit

app: Final = typer.Typer(help="Subscriptions: what is billed by the month.", no_args_is_help=True)

COLUMNS: Final = ("id", "customer_id", "billing_group", "currency", "started_on", "ended_on", "meters")

Id = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id, as usage events name it.")]


def path_of(subscription_id: str) -> str:
    return f"/subscriptions/{quote(subscription_id, safe='')}"


@app.command()
def put(
    subscription_id: Id,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON: customer_id, charges, ...")],
) -> None:
    """Create a subscription, or replace the whole record; a new plan holds for every month that is not billed yet."""
    data(api.call("PUT", path_of(subscription_id), body=read_json(file))["id"])


@app.command()
def show(subscription_id: Id, as_json: AsJson = False) -> None:
    """Print a subscription: its plan, and what waits to be billed."""
    found = api.call("GET", path_of(subscription_id))
    if as_json:
        data_json(found)
        return
    for name in ("id", "customer_id", "billing_group", "currency", "started_on", "ended_on", "payment_terms"):
        field(name, found.get(name), 13)
    for charge in found["charges"]:
        field("charge", _plan(charge), 13)
    for one in found["open_usage"]:
        field("waits", f"{one['quantity']} {one['meter']} of {one['used_in']}, billed with {one['period']}", 13)


@app.command("list")
def list_(
    group: Annotated[str | None, typer.Option(help="Only this billing group.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List subscriptions, by id."""
    found = api.pages("/subscriptions", {"billing_group": group, "customer_id": customer}, limit)
    listed = found if as_json else [{**one, "meters": _meters(one)} for one in found]
    rows(listed, COLUMNS, as_json=as_json, empty="no subscription; `billhook subscription put ID FILE` makes one")


def _plan(charge: dict[str, Any]) -> str:
    """What is set of it, in the plan's own words."""
    return ", ".join(f"{name} {value}" for name, value in charge.items() if value not in (None, "", [], ()))


def _meters(found: dict[str, Any]) -> str:
    return ", ".join(charge["meter"] for charge in found["charges"])
