"""For whoever watches the process: alive, ready, and in numbers. Open, since nothing here is about a customer."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from records.pool import RecordsBusy
from starter.client import EngineUnreachable
from starter.http.parts import Parts, UseParts

router = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """Each check is `ok`, or says what is wrong and what to do."""

    ready: bool
    checks: dict[str, str]


@router.get("/healthz", summary="The process lives")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Database, migrations, Temporal and dispatcher", responses={503: {"model": Readiness}})
async def readyz(parts: UseParts) -> JSONResponse:
    checks = {**await _database(parts), "temporal": await _temporal(parts), "dispatcher": _dispatcher(parts)}
    ready = all(words == "ok" for words in checks.values())
    return JSONResponse(Readiness(ready=ready, checks=checks).model_dump(), 200 if ready else 503)


@router.get("/metrics", summary="Prometheus", response_class=Response)
async def metrics(parts: UseParts) -> Response:
    await parts.metrics.read(parts.database)
    return Response(parts.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _database(parts: Parts) -> dict[str, str]:
    try:
        async with parts.database.session() as session:
            await session.execute(text("SELECT 1"))
        current = await parts.database.is_current()
    except RecordsBusy as error:
        return {"database": str(error), "migrations": "not known"}
    except (SQLAlchemyError, OSError):
        return {"database": "it does not answer; check BILLHOOK_DATABASE_URL", "migrations": "not known"}
    return {"database": "ok", "migrations": "ok" if current else "behind; run `billhook db upgrade`"}


async def _temporal(parts: Parts) -> str:
    try:
        await parts.engine.check()
    except EngineUnreachable:
        return "it does not answer; check TEMPORAL_ADDRESS"
    return "ok"


def _dispatcher(parts: Parts) -> str:
    return "ok" if parts.dispatcher.is_running else "it does not run; restart the process"
