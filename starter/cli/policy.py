"""`billhook fields` and `billhook policy ...`: the rules, as they stand in code and file, and what they would do."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from starter.cli import api
from starter.cli.bodies import read_json
from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, field, rows, say
from starter.cli.trigger import TriggerMotion

app: Final = typer.Typer(help="The rules for when a human must approve.", no_args_is_help=True)

_WIDTH: Final = 32
# As wide as the longest key that every policy has.
_SHIFTED: Final = ("key", "total", "currency", "rules_then", "rules_now", "change_requests_later")
_MOTIONS: Final = {
    TriggerMotion.OVERAGE: {"subscription_id", "meter"},
    TriggerMotion.USAGE: {"subscription_id", "period", "line_items"},
    TriggerMotion.MILESTONE: {"milestone_id"},
    TriggerMotion.QUOTE: {"quote_id"},
    TriggerMotion.PROJECT: {"project_id", "line_items"},
}
# The fields that only this motion's trigger has together; a milestone has a project_id too, and no line_items.


def fields(as_json: AsJson = False) -> None:
    """Print who owns which field: we, the invoicing API or the recipient."""
    from billing.ownership import OWNERSHIP  # noqa: PLC0415 - commands load what they need when they run

    found = [{"field": one.field, "owner": one.owner.value, "note": one.note} for one in OWNERSHIP]
    rows(found, ("field", "owner", "note"), as_json=as_json)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy.toml.")],
    as_json: AsJson = False,
) -> None:
    """Check a policy file and print what it says, with its content hash; exits 7 if it is unsound. Needs no stack."""
    from billing.errors import BadInput  # noqa: PLC0415
    from billing.policy import Policy  # noqa: PLC0415

    try:
        policy = Policy.parse(_text(file))
    except BadInput as error:
        next_step = f"next:  {error.next_step}" if error.next_step else ""
        raise Stop(Exit.NOT_IN_ORDER, f"field: {error.field}", f"cause: {error.cause}", next_step) from error
    content = policy.model_dump(mode="json")
    if as_json:
        data_json({"content_hash": policy.content_hash, "policy": content})
        return
    field("content_hash", policy.content_hash, _WIDTH)
    for name, value in _plain(content):
        field(name, value, _WIDTH)


def _plain(content: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every value under its dotted key, as policy.toml spells both; a list of plain values on one line."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _plain(value, f"{at}.{name}" if at else name)
    elif isinstance(content, list) and any(isinstance(one, dict) for one in content):
        for index, one in enumerate(content):
            yield from _plain(one, f"{at}.{index}")
    else:
        yield at, _spelled(content)


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    return str(value) if value not in {None, ""} else "-"


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A trigger's JSON, as `trigger` takes it.")],
    motion: Annotated[TriggerMotion | None, typer.Option(help="Where its fields do not say.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what would happen to a trigger, and why. Nothing is started."""
    body = read_json(file)
    found = api.call("POST", "/policy/explain", body={"motion": (motion or motion_of(body)).value, "trigger": body})
    if as_json:
        data_json(found)
        return
    for name in ("key", "motion", "customer_id", "total", "currency", "outcome", "assignee", "approvals_needed",
                 "remind_at", "escalate_at", "expire_at", "policy_hash"):  # fmt: skip
        data(f"{name:16} {found[name] if found[name] not in {None, ''} else '-'}")
    for reason in found["reasons"]:
        data(f"{'reason':16} {reason['text']} ({reason['rule']})")
    for note in found.get("notes", []):
        data(f"{'note':16} {note}")


def motion_of(body: Any) -> TriggerMotion:
    """The motion that the fields of a trigger tell."""
    given = set(body) if isinstance(body, dict) else set()
    fitting = [motion for motion, fields in _MOTIONS.items() if fields <= given]
    if len(fitting) != 1:
        fit = f"fit {' and '.join(fitting)}" if fitting else "do not say which motion it is"
        raise Stop(Exit.USAGE, f"cause: its fields {fit}", "next:  name it with --motion")
    return fitting[0]


@app.command()
def simulate(
    policy: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The other policy.toml.")],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC).")],
    as_json: AsJson = False,
) -> None:
    """Judge recorded assessments by another policy: who would have been asked, who would not, for how much."""
    body = {"policy": _text(policy), "since": since.replace(tzinfo=UTC).isoformat()}
    found = api.call("POST", "/policy/simulate", body=body)
    if as_json:
        data_json(found)
        return
    _tell(found)


def _tell(found: dict[str, Any]) -> None:
    judged = found["judged"]
    data(f"invoices judged   {judged}")
    data(f"went out alone    {found['automatic_then']} then, {found['automatic_now']} under {found['policy_hash']}")
    for name in sorted({*found["by_rule_then"], *found["by_rule_now"]}):
        then, now = found["by_rule_then"].get(name, 0), found["by_rule_now"].get(name, 0)
        data(f"rule              {name}: {then} then, {now} now")
    for title, name in (("would newly wait", "newly_ask"), ("would not wait", "no_longer_ask")):
        side = found[name]
        amounts = ", ".join(f"{amount} {code}" for code, amount in side["amounts"].items()) or "nothing"
        data(f"{title:17} {side['count']} over {amounts}; {side['with_change_requests_later']} were changed later")
        if side["invoices"]:
            rows(map(_shifted, side["invoices"]), _SHIFTED, as_json=False)
    if found["not_judged"]:
        say(f"{found['not_judged']} were assessed by an older release and cannot be judged; --json names them")
    if not judged:
        say("nothing was assessed since then")


def _shifted(one: dict[str, Any]) -> dict[str, Any]:
    return one | {name: ", ".join(one[name]) or "-" for name in ("rules_then", "rules_now")}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Stop(Exit.USAGE, f"cause: {file} is no text", "next:  name a policy.toml") from error
