"""What only a stand-in has: its fault switches, its truth, and somebody who pays."""

from fastapi import APIRouter, Response

from sandbox.audit import truth
from sandbox.faults import Faults
from sandbox.parts import Parts
from sandbox.wire import answer


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
