"""`billhook token ...`: who may call the API. Only hashes are kept, so a new token is shown once."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, rows, say
from starter.cli.records import with_database

if TYPE_CHECKING:
    from records.session import Database

app: Final = typer.Typer(help="Tokens of the HTTP API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Who or what uses it; an approver's decisions carry this name.")]


Limits = Annotated[
    list[str] | None,
    typer.Option("--limit", help="An agent's: USD=5000 issues up to that without a person; repeatable."),
]
Customers = Annotated[
    list[str] | None, typer.Option("--customer", metavar="ID", help="An agent's: whom it may bill; repeatable.")
]
Expires = Annotated[
    str | None, typer.Option(metavar="WHEN", help="After 30d or 12h, or at 2027-01-31T00:00:00Z, it opens nothing.")
]


@app.command()
def create(
    name: Name,
    scope: Annotated[list[str], typer.Option("--scope", help="trigger, read, approve, agent or admin; repeatable.")],
    limit: Limits = None,
    customer: Customers = None,
    expires: Expires = None,
) -> None:
    """Make a token and print it, once. An agent's names its customers and its end, and may name limits."""
    from datetime import UTC, datetime  # noqa: PLC0415 - commands load what they need when they run

    from records.customers import get_customer  # noqa: PLC0415
    from records.tokens import Scope, create_token  # noqa: PLC0415
    from starter.cli.bounds import end_of, grant_named  # noqa: PLC0415

    try:
        scopes = [Scope(one) for one in scope]
    except ValueError as error:
        raise Stop(Exit.USAGE, f"field: --scope\ncause: {error}", f"next:  one of {', '.join(Scope)}") from error
    grant = grant_named(name, limit or [], customer or [])
    expires_at = None if expires is None else end_of(expires, datetime.now(UTC))

    async def work(database: "Database") -> tuple[str, list[str]]:
        async with database.transaction() as session:
            token = await create_token(session, name, scopes, grant=grant, expires_at=expires_at)
            named = grant.customers if grant else ()
            return token, [one for one in named if await get_customer(session, one) is None]

    token, unknown = with_database(work)
    data(token)
    say("shown once; only its hash is kept")
    for one in unknown:
        say(f"there is no customer {one!r} yet; `billhook customer put {one} FILE` makes it")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List tokens: name, scopes, an agent's customers and limits, from when to when, its last use, revoked or not."""
    from records.tokens import list_tokens  # noqa: PLC0415

    async def work(database: "Database") -> list[dict[str, Any]]:
        async with database.session() as session:
            return [_row(one.model_dump(mode="json", exclude={"sha256"})) for one in await list_tokens(session)]

    columns = ("name", "scopes", "customers", "limits", "created_at", "expires_at", "last_used_at", "revoked_at")
    empty = "no token; `billhook token create NAME` makes one"
    rows(with_database(work), columns, as_json=as_json, empty=empty)


def _row(token: dict[str, Any]) -> dict[str, Any]:
    """Limits in major units, as they were given."""
    from billing.money import Money  # noqa: PLC0415

    limits = {code: Money(minor=minor, currency=code) for code, minor in sorted(token["limits"].items())}
    return token | {"limits": [f"{code}={limit.major:f}" for code, limit in limits.items()]}


@app.command()
def revoke(name: Name) -> None:
    """Revoke a token at once."""
    from records.tokens import revoke_token  # noqa: PLC0415

    async def work(database: "Database") -> object:
        async with database.transaction() as session:
            return await revoke_token(session, name)

    if with_database(work) is False:
        raise Stop(Exit.NOT_FOUND, f"cause: there is no live token named {name!r}", "next:  billhook token list")
    data(f"{name}  revoked")
