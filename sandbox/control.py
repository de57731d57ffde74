"""What only a stand-in has: its fault switches, its clock, its truth, and somebody who pays."""

from fastapi import APIRouter, Response
from pydantic import AwareDatetime

from sandbox.audit import truth
from sandbox.faults import Faults
from sandbox.models import Strict
from sandbox.parts import Parts
from sandbox.store import stamp
from sandbox.wire import answer


class ClockSetting(Strict):
    """What time it is here; null is real time."""

    now: AwareDatetime | None


def control(parts: Parts) -> APIRouter:
    """Routes under `/_sandbox`, and the health check."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        """The server answers and its file can be read."""
        parts.store.reading().one("SELECT 1")
        return answer({"status": "ok"})

    @router.get("/_sandbox/faults")
    async def get_faults() -> Response:
        """The present switches."""
        return answer(parts.faults.switches.model_dump())

    @router.put("/_sandbox/faults")
    async def put_faults(body: Faults) -> Response:
        """Set every switch, those not named to off, and start the random numbers over."""
        parts.faults.turn(body)
        return answer(body.model_dump())

    @router.get("/_sandbox/injected")
    async def get_injected() -> Response:
        """What the switches really did since the start, by kind."""
        return answer(dict(sorted(parts.faults.injected.items())))

    @router.get("/_sandbox/clock")
    async def get_clock() -> Response:
        """What time it is here."""
        return answer({"now": stamp(parts.store.clock.present())})

    @router.put("/_sandbox/clock")
    async def put_clock(body: ClockSetting) -> Response:
        """Put the clock forward or back: times of events, life of keys. Deliveries keep their real pauses."""
        parts.store.clock.set(body.now)
        return await get_clock()

    @router.get("/_sandbox/audit")
    async def get_audit() -> Response:
        """Everything that is true here."""
        return answer(truth(parts.store.reading(), parts.config.number_prefix))

    @router.post("/_sandbox/invoices/{invoice_id}/pay")
    async def pay(invoice_id: str) -> Response:
        """Play the money's arrival."""
        with parts.store.transaction() as tx:
            return answer(parts.invoices.pay(tx, invoice_id))

    return router
