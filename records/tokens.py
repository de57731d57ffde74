"""Bearer tokens: 256 random bits, shown once, kept as a hash. Their names are who people are in decisions."""

import hashlib
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from billing.errors import Conflict
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


def allows(token: Token, scope: Scope) -> bool:
    """Whether `token` carries `scope`, itself or by admin."""
    return bool({scope.value, Scope.ADMIN.value} & set(token.scopes))


async def create_token(s: AsyncSession, name: str, scopes: Iterable[Scope], *, plaintext: str | None = None) -> str:
    """A new token's plaintext, to be shown once; `plaintext` brings one that is kept elsewhere.

    Raises Conflict where a live token has the name, BadInput on a name that cannot stand in a trail.
    """
    secret = plaintext or _PREFIX + secrets.token_urlsafe(32)
    values = {
        "sha256": fingerprint(secret),
        "name": checked_id(name, "name"),
        "scopes": sorted(Scope(scope).value for scope in scopes),
        "created_at": now(),
    }
    if not await affected(s, insert(s, Token).values(values).on_conflict_do_nothing()):
        raise Conflict(f"there is a live token named {name!r}", field="name", next_step=f"billhook token revoke {name}")
    return secret


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


async def live_approvers(s: AsyncSession) -> list[str]:
    """Who may be asked for an approval: the names of live tokens with scope approve."""
    return sorted(token.name for token in await list_tokens(s) if not token.revoked_at and allows(token, Scope.APPROVE))


async def _live(s: AsyncSession, which: ColumnElement[bool]) -> Token | None:
    row = (await s.execute(select(_T).where(which, _T.c.revoked_at.is_(None)))).mappings().one_or_none()
    return None if row is None else Token(**row)


def fingerprint(plaintext: str) -> str:
    """What is kept of a token; 256 random bits need no salt."""
    return hashlib.sha256(plaintext.encode()).hexdigest()
