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


@app.command()
def create(
    name: Name,
    scope: Annotated[list[str], typer.Option("--scope", help="trigger, read, approve, agent or admin; repeatable.")],
) -> None:
    """Make a token and print it, once."""
    from records.tokens import Scope, create_token  # noqa: PLC0415 - commands load what they need when they run

    try:
        scopes = [Scope(one) for one in scope]
    except ValueError as error:
        raise Stop(Exit.USAGE, f"field: --scope\ncause: {error}", f"next:  one of {', '.join(Scope)}") from error

    async def work(database: "Database") -> str:
        async with database.transaction() as session:
            return await create_token(session, name, scopes)

    token = with_database(work)
    data(token)
    say("shown once; only its hash is kept")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List tokens: name, scopes, since when, revoked or not."""
    from records.tokens import list_tokens  # noqa: PLC0415

    async def work(database: "Database") -> list[dict[str, Any]]:
        async with database.session() as session:
            return [one.model_dump(mode="json", exclude={"hash", "sha256"}) for one in await list_tokens(session)]

    columns, empty = ("name", "scopes", "created_at", "revoked_at"), "no token; `billhook token create NAME` makes one"
    rows(with_database(work), columns, as_json=as_json, empty=empty)


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
