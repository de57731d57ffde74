"""`billhook events ...`: what other systems sent, what became of it, and how what lies in quarantine gets out."""

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from billing.record import Fate
from starter.cli import api
from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, rows, say
from starter.cli.wording import for_terminal

app: Final = typer.Typer(help="Events that the invoicing API and other systems sent.", no_args_is_help=True)

COLUMNS: Final = ("id", "type", "reference", "fate", "attempts", "reason", "received_at")


@app.command("list")
def list_(
    fate: Annotated[Fate | None, typer.Option(help="Only what has come to this.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List events and what became of each, the newest first."""
    found = api.pages("/events", {"fate": fate.value if fate else None}, limit)
    empty = f"no event is {fate.value}" if fate else "no event has come yet; `billhook doctor` checks the way in"
    shown = found if as_json else [{**one, "reason": for_terminal(one["reason"] or "", api.url)} for one in found]
    rows(shown, COLUMNS, as_json=as_json, empty=empty)
    hint = _hint(found, limit)
    if hint and not as_json:
        say(hint)


def _hint(found: list[dict[str, Any]], limit: int) -> str:
    """What the list means for whoever reads it, and what to do next."""
    if any(one["fate"] == Fate.QUARANTINED for one in found):
        return (
            "quarantined events wait for you: mend what the reason names, then `billhook events replay ID` or\n"
            "`billhook events replay --all-quarantined`; an event counts once however often it is replayed"
        )
    return f"the newest {limit}; --limit shows more" if len(found) == limit else ""


@app.command()
def replay(
    event_ids: Annotated[list[str] | None, typer.Argument(help="The events' ids, as `events list` names them.")] = None,
    all_quarantined: Annotated[bool, typer.Option("--all-quarantined", help="Every event in quarantine.")] = False,
) -> None:
    """Deliver events again; one that its invoice has counted already changes nothing."""
    if bool(event_ids) == all_quarantined:
        raise Stop(
            Exit.USAGE,
            "cause: name events or say --all-quarantined, one of the two",
            "next:  `billhook events list --fate quarantined` shows them",
        )
    if all_quarantined:
        count = api.call("POST", "/events/replay")["replayed"]
        data(f"{count}  queued again")
    refusals = [refusal for event_id in event_ids or () if (refusal := _replayed(event_id))]
    say("`billhook events list` shows what becomes of them")
    if refusals:
        raise Stop(refusals[-1].code, f"{len(refusals)} of {len(event_ids or ())} not replayed, see above")


def _replayed(event_id: str) -> Stop | None:
    """None, or why this one cannot be replayed; the others still can. Raises Stop where none can."""
    try:
        api.call("POST", f"/events/{quote(event_id, safe='')}/replay")
    except Stop as stop:
        if stop.code not in {Exit.REFUSED, Exit.NOT_FOUND}:
            raise
        for line in stop.lines:
            say(line)
        return stop
    data(f"{event_id}  queued again")
    return None
