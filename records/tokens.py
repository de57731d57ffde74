"""Bearer tokens: 256 random bits, shown once, kept as a hash. Their names are who people are in decisions.

An agent's token is bound to customers, amounts and a time, and holds no other scope: what is a person's to decide, no
token of an agent decides.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.agents import Grant
from billing.errors import BadInput, Conflict
from billing.keys import checked_id
from records.sql import affected, insert, now, table
from records.tables import Token

_T = table(Token)
_PREFIX: Final = "bh_"


class Scope(StrEnum):
    """What a token may do; `admin` implies all others."""

    TRIGGER = "trigger"
    READ = "read"
    APPROVE = "approve"
    AGENT = "agent"
    ADMIN = "admin"


def is_live(token: Token) -> bool:
    """Neither revoked nor expired."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now())


def allows(token: Token, scope: Scope) -> bool:
    """Whether `token` carries `scope`, itself or by admin."""
    return bool({scope.value, Scope.ADMIN.value} & set(token.scopes))


def grant_of(token: Token) -> Grant | None:
    """What an agent's token allows; None for whoever is no agent."""
    if Scope.AGENT not in token.scopes:
        return None
    return Grant(name=token.name, limits=token.limits, customers=tuple(token.customers))


async def create_token(
    s: AsyncSession,
    name: str,
    scopes: Iterable[Scope],
    *,
    plaintext: str | None = None,
    grant: Grant | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token's plaintext, to be shown once; `plaintext` brings one that is kept elsewhere, `grant` the bounds of
    an agent's.

    Raises Conflict where a live token has the name, BadInput on a name that cannot stand in a trail, and where an
    agent's token has other scopes or no bounds.
    """
    secret = plaintext or _PREFIX + secrets.token_urlsafe(32)
    given = sorted(Scope(scope).value for scope in scopes)
    _check_bounds(given, grant, expires_at)
    values = {
        "sha256": fingerprint(secret),
        "name": checked_id(name, "name"),
        "scopes": given,
        "limits": grant.limits if grant else {},
        "customers": list(grant.customers) if grant else [],
        "created_at": now(),
        "expires_at": expires_at,
    }
    if not await affected(s, insert(s, Token).values(values).on_conflict_do_nothing()):
        raise Conflict(
            f"there is a token named {name!r} that was not revoked",
            field="name",
            next_step=f"billhook token revoke {name}",
        )
    return secret


def _check_bounds(scopes: list[str], grant: Grant | None, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= now():
        raise BadInput("expires", "that is over already", "name a time to come, for example 30d")
    if Scope.AGENT not in scopes:
        if grant is not None:
            raise BadInput("scope", "limits and customers bind an agent's token alone", "--scope agent")
        return
    if len(scopes) > 1:
        raise BadInput("scope", "agent stands alone, so that no agent decides", "make another token for the others")
    if grant is None or not grant.customers:
        raise BadInput("customer", "an agent works for the customers that are named to it", "--customer ID")
    if expires_at is None:
        raise BadInput("expires", "an agent's token has an end", "--expires 30d")


async def find_token(s: AsyncSession, plaintext: str) -> Token | None:
    """The live token with this plaintext."""
    return await find_by_fingerprint(s, fingerprint(plaintext))


async def find_by_fingerprint(s: AsyncSession, sha256: str) -> Token | None:
    """The live token that `fingerprint` gave this for: a session at the desk knows no more of it."""
    return await _live(s, _T.c.sha256 == sha256)


async def find_named(s: AsyncSession, name: str) -> Token | None:
    """The live token of this name; there is one at most."""
    return await _live(s, _T.c.name == name)


async def list_tokens(s: AsyncSession) -> list[Token]:
    """All of them, revoked ones too, by name."""
    return [Token(**row) for row in (await s.execute(select(_T).order_by(_T.c.name, _T.c.created_at))).mappings()]


async def revoke_token(s: AsyncSession, name: str) -> bool:
    """From now on it opens nothing; False if no live token has the name."""
    live = update(_T).where(_T.c.name == name, _T.c.revoked_at.is_(None))
    return await affected(s, live.values(revoked_at=now())) > 0


async def note_use(s: AsyncSession, sha256: str) -> None:
    """It was used just now."""
    await s.execute(update(_T).where(_T.c.sha256 == sha256).values(last_used_at=now()))


async def live_approvers(s: AsyncSession) -> list[str]:
    """Who may be asked for an approval: the names of live tokens with scope approve."""
    return sorted(token.name for token in await list_tokens(s) if is_live(token) and allows(token, Scope.APPROVE))


async def _live(s: AsyncSession, which: ColumnElement[bool]) -> Token | None:
    lives = (_T.c.revoked_at.is_(None), or_(_T.c.expires_at.is_(None), _T.c.expires_at > now()))
    row = (await s.execute(select(_T).where(which, *lives))).mappings().one_or_none()
    return None if row is None else Token(**row)


def fingerprint(plaintext: str) -> str:
    """What is kept of a token; 256 random bits need no salt."""
    return hashlib.sha256(plaintext.encode()).hexdigest()
