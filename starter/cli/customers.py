"""`billhook customer ...`: whom we bill, over the HTTP API."""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from starter.cli import api
from starter.cli.bodies import read_json
from starter.cli.output import AsJson, data, data_json, field

app: Final = typer.Typer(help="Customers: whom we bill.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The customer's id, as triggers name it.")]


def path_of(customer_id: str) -> str:
    return f"/customers/{quote(customer_id, safe='')}"


@app.command()
def put(
    customer_id: Id,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON: name, email, currency, ...")],
) -> None:
    """Create a customer, or replace the whole record; a field left out is emptied."""
    data(api.call("PUT", path_of(customer_id), body=read_json(file))["id"])


@app.command()
def show(customer_id: Id, as_json: AsJson = False) -> None:
    """Print a customer's record."""
    found = api.call("GET", path_of(customer_id))
    if as_json:
        data_json(found)
        return
    for name, value in found.items():
        field(name, value)
