"""Each mail at most once per (invoice, version, kind): the claim is committed before the mail is sent."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from records.sql import insert, now, returned, table
from records.tables import MailRow

_M = table(MailRow)


async def claim(  # noqa: PLR0917 - the first three are the key
    s: AsyncSession, key: str, version: int, kind: str, step_key: str, to: str
) -> bool:
    """Whether it may be sent; False only if it was. An unsent claim may be taken again: same Message-ID."""
    values = {"step_key": step_key, "addressee": to, "claimed_at": now()}
    statement = insert(s, MailRow).values(key=key, version=version, kind=kind, **values)
    unsent = statement.on_conflict_do_update(
        index_elements=["key", "version", "kind"], set_=values, where=_M.c.sent_at.is_(None)
    )
    return await returned(s, unsent.returning(_M.c.key))


async def mark_sent(s: AsyncSession, key: str, version: int, kind: str) -> None:
    """The mail server has taken it."""
    this = (_M.c.key == key) & (_M.c.version == version) & (_M.c.kind == kind)
    await s.execute(update(_M).where(this, _M.c.sent_at.is_(None)).values(sent_at=now()))
