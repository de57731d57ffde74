"""The dossier of an invoice, read from our records: every face hands out the same bytes."""

from audit.dossier import build
from billing.errors import NotFound
from records.papers import Papers, read_papers
from records.session import Database


async def dossier(database: Database, key: str) -> bytes:
    """As of one moment. Raises NotFound."""
    async with database.session() as session:
        found = await read_papers(session, [key], Papers)
    if not found:
        raise NotFound(f"no invoice {key!r}", next_step="the keys are listed by GET /invoices")
    return build(found[0])


def file_name(key: str) -> str:
    """What the file is called unless somebody says otherwise."""
    return f"{key.replace(':', '_')}.dossier.json"
