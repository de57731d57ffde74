"""Checks of what Billhook talks to: its database, Temporal, the mail server."""

import asyncio
import contextlib
from urllib.parse import unquote, urlsplit

from settings import Settings
from starter.cli.checks.finding import Finding, failed, ok, warning
from starter.cli.records import opened
from starter.embedded.stack import SEARCH_ATTRIBUTES

_CALL_S = 5.0
_PROCESSES = 6
# Two of each kind: docs/deploying.md.


async def database(settings: Settings) -> Finding:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        async with opened(settings) as found:
            if await found.is_current():
                return ok("database", f"{_shown(settings.database)}, at migration {await found.current()}")
        return failed("database", f"{_shown(settings.database)} lacks migrations", "billhook db upgrade")
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        return failed(
            "database", f"{_shown(settings.database)}: {cause}", "billhook db upgrade, or correct BILLHOOK_DATABASE_URL"
        )


async def connections(settings: Settings) -> list[Finding]:
    """What all processes may open at PostgreSQL beside what it lends; nothing where that is no question."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        async with opened(settings) as found:
            lent = await found.connections()
    except (SQLAlchemyError, OSError):
        # The check of the database says why.
        return []
    return [] if lent is None else [_room(lent, settings.pool.most)]


def _room(lent: int, most: int) -> Finding:
    text = f"{lent} are lent and a process opens at most {most}: enough for {lent // most} processes"
    if lent >= most * _PROCESSES:
        return ok("connections", text)
    step = f"where {_PROCESSES} run, lower BILLHOOK_DATABASE_POOL_SIZE or raise max_connections"
    return warning("connections", text, step)


def _shown(url: str) -> str:
    """The address without its password."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url


async def temporal(settings: Settings) -> list[Finding]:
    """Reachable at the address that temporalio's own configuration names, and with our search attributes."""
    from temporalio.api.enums.v1 import IndexedValueType  # noqa: PLC0415
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest  # noqa: PLC0415
    from temporalio.service import RPCError  # noqa: PLC0415

    from starter.client import EngineUnreachable, connect  # noqa: PLC0415

    try:
        async with asyncio.timeout(_CALL_S):
            client = await connect(settings)
            asked = ListSearchAttributesRequest(namespace=client.namespace)
            answer = await client.operator_service.list_search_attributes(asked)
    except (EngineUnreachable, TimeoutError, RPCError) as error:
        step = "start it with `billhook up`, or set TEMPORAL_ADDRESS (and TEMPORAL_NAMESPACE, TEMPORAL_API_KEY)"
        return [failed("temporal", str(error) or "no answer", step)]
    where = f"{client.service_client.config.target_host}, namespace {client.namespace}"
    found = {name: IndexedValueType.Name(kind) for name, kind in answer.custom_attributes.items()}
    return [ok("temporal", where), _attributes(found)]


def _attributes(found: dict[str, str]) -> Finding:
    wanted = {name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in SEARCH_ATTRIBUTES.items()}
    wrong = [name for name, kind in wanted.items() if found.get(name) != kind]
    if not wrong:
        return ok("search attributes", f"all {len(wanted)} are known")
    made = " ".join(f"--name {name} --type {SEARCH_ATTRIBUTES[name]}" for name in wrong)
    return failed(
        "search attributes", f"missing: {', '.join(wrong)}", f"temporal operator search-attribute create {made}"
    )


async def smtp(settings: Settings) -> Finding:
    """The server lets us in; nothing is sent."""
    import aiosmtplib  # noqa: PLC0415

    parts = urlsplit(settings.smtp_url)
    server = f"{parts.hostname}:{parts.port or 25}"
    client = aiosmtplib.SMTP(
        hostname=parts.hostname, port=parts.port, use_tls=parts.scheme == "smtps", timeout=_CALL_S,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )  # fmt: skip
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        return failed("smtp", f"{server}: {error}", "start it with `billhook up`, or correct BILLHOOK_SMTP_URL")
    with contextlib.suppress(aiosmtplib.SMTPException):
        await client.quit()
    return ok("smtp", f"{server} lets us in")
