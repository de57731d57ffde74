"""Checks of whom the policy names: each needs a live token of that name, which a file alone cannot show.

An approval is put to the next who may when it is assessed; a change request goes to its owner, whoever that is.
"""

import shlex
from collections.abc import Collection, Iterator

from billing.errors import BadInput
from billing.policy import Policy
from settings import Settings, load_policy
from starter.cli.checks.finding import Finding, ok, warning
from starter.cli.records import opened


async def people(settings: Settings) -> list[Finding]:
    """Nothing where nobody is named, or where policy or records cannot be read: their own checks say why."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from records.tokens import live_approvers  # noqa: PLC0415

    try:
        policy = load_policy(settings)
        async with opened(settings) as database, database.session() as session:
            return list(_found(policy, await live_approvers(session)))
    except (BadInput, SQLAlchemyError, OSError):
        return []


def _found(policy: Policy, live: Collection[str]) -> Iterator[Finding]:
    named = policy.named | {f"approvers.{index}.name": one.name for index, one in enumerate(policy.approvers)}
    unknown = {field: name for field, name in named.items() if name not in live}
    for field, name in unknown.items():
        text = f"{name!r} holds no live token with scope approve: {_comes_of(field)}"
        step = f"billhook token create {shlex.quote(name)} --scope approve, or name somebody else in policy.toml"
        yield warning(field, text, step)
    if named and not unknown:
        yield ok("people", f"each of the {len(set(named.values()))} whom the policy names holds a live token")


def _comes_of(field: str) -> str:
    match field:
        case "cases.owner":
            return "he cannot answer the change requests that are his"
        case "cases.escalate_to":
            return "he can do nothing about a change request that is late"
        case _:
            return "no approval is put to him"
