"""`billhook fields` and `billhook policy explain`: the rules, as they stand in code and file."""

from pathlib import Path
from typing import Annotated, Final

import typer

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, rows

app: Final = typer.Typer(help="The rules for when a human must approve.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `explain` a command of its own while it is the only one."""


def fields(as_json: AsJson = False) -> None:
    """Print who owns which field: we, the invoicing API or the recipient."""
    from billing.ownership import OWNERSHIP  # noqa: PLC0415 - commands load what they need when they run

    found = [{"field": one.field, "owner": one.owner.value, "note": one.note} for one in OWNERSHIP]
    rows(found, ("field", "owner", "note"), as_json=as_json)


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy.toml.")],
    as_json: AsJson = False,
) -> None:
    """Check a policy file and print what it says, with its content hash."""
    from billing.errors import BadInput  # noqa: PLC0415
    from billing.policy import Policy  # noqa: PLC0415

    try:
        policy = Policy.parse(file.read_text())
    except BadInput as error:
        next_step = f"next:  {error.next_step}" if error.next_step else ""
        raise Stop(Exit.REFUSED, f"field: {error.field}", f"cause: {error.cause}", next_step) from error
    content = policy.model_dump(mode="json")
    if as_json:
        data_json({"content_hash": policy.content_hash, "policy": content})
        return
    data(f"content_hash  {policy.content_hash}")
    for name, value in content.items():
        data(f"{name}  {value}")
