"""JupiterInvoice behind the Invoicing port: one method per call, each write under its step key.

Bodies are built in jupiter_bodies, answers read in jupiter_answers, names that may differ live in jupiter_wire.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
from pydantic import SecretStr

from billing.errors import BadInput
from billing.intent import Commercial
from billing.remote import Details, RemoteRequest, RemoteVersion
from connectors import jupiter_bodies as bodies
from connectors.http import BadAnswer, CallFailed, call
from connectors.jupiter_answers import read_invoice, read_page, read_survey
from connectors.jupiter_details import read_requests, read_versions, token_of
from connectors.jupiter_wire import Wire
from connectors.ports import Recipient, RemoteInvoice, SurveyPage

_NOT_FOUND: Final = 404
_NOT_TOLD: Final = frozenset({401, 403, 404, 405, 406})
_PAGE: Final = 100
_THE_PAGE: Final = "the recipient's page"
# Whoever knows its path can approve the invoice: it must not get into a log or a record.
_SYSTEM: Final = "jupiter"


class Jupiter:
    """The API at `url`. Raises BadInput at once where the URL or the key is missing.

    Every method raises CallFailed (no answer, or a refusal) and BadAnswer (an answer that cannot be right).
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str | None,
        api_key: SecretStr | None,
        *,
        wire: dict[str, str] | None = None,
    ) -> None:
        if not url or not url.startswith(("http://", "https://")):
            raise BadInput("jupiter_url", "it is no http(s) URL", "set BILLHOOK_JUPITER_URL")
        if api_key is None or not api_key.get_secret_value():
            raise BadInput("jupiter_api_key", "it is empty", "set BILLHOOK_JUPITER_API_KEY")
        self._client = client
        self._url = url.rstrip("/")
        self._key = api_key
        self._wire = Wire.of(wire)

    async def create_draft(
        self, reference: str, recipient: Recipient, commercial: Commercial, *, step_key: str
    ) -> RemoteInvoice:
        """A draft with everything that is commercial; found again by `reference`."""
        body = bodies.create_body(self._wire, reference, recipient, commercial)
        return await self._write("POST", self._wire.path("invoices"), body, step_key)

    async def patch_draft(
        self, external_id: str, *, commercial: Commercial, carried: dict[str, Any], step_key: str
    ) -> RemoteInvoice:
        """The draft as `commercial` says, with what an earlier invoice's recipient gave."""
        body = bodies.patch_body(self._wire, commercial, carried)
        return await self._write("PATCH", self._wire.path("invoice", id=external_id), body, step_key)

    async def issue(self, external_id: str, *, send: bool, step_key: str) -> RemoteInvoice:
        """Draft to sent; with `send` the API mails the link itself."""
        return await self._write("POST", self._wire.path("issue", id=external_id), {"send": send}, step_key)

    async def revise(
        self, external_id: str, commercial: Commercial, *, change_request_id: str | None, step_key: str
    ) -> RemoteInvoice:
        """Version n+1 of an issued, unapproved invoice."""
        body = bodies.version_body(self._wire, commercial, change_request_id)
        return await self._write("POST", self._wire.path("versions", id=external_id), body, step_key)

    async def decline_change(
        self, external_id: str, change_request_id: str, message: str, *, step_key: str
    ) -> RemoteInvoice:
        """`message` is what the recipient reads."""
        path = self._wire.path("decline", id=external_id, cr=change_request_id)
        return await self._write("POST", path, {"message": message}, step_key)

    async def discard(self, external_id: str) -> None:
        """Throw a draft away; one that is gone already is thrown away."""
        try:
            await self._call("DELETE", self._wire.path("invoice", id=external_id))
        except CallFailed as error:
            if error.status != _NOT_FOUND:
                raise

    async def void(self, external_id: str, reason: str, *, step_key: str) -> RemoteInvoice:
        """Take an issued invoice back; it keeps its place in the series there."""
        return await self._write("POST", self._wire.path("void", id=external_id), {"reason": reason}, step_key)

    async def get(self, external_id: str) -> RemoteInvoice:
        path = self._wire.path("invoice", id=external_id)
        found = read_invoice(self._wire, f"GET {path}", await self._read(path))
        return self._same(found, external_id, f"GET {path}")

    async def find(self, reference: str) -> RemoteInvoice | None:
        """The invoice that carries our reference, a live one before a voided one."""
        voided: RemoteInvoice | None = None
        async for invoice in self._all(reference):
            # A filter that the API does not know would answer every invoice there is.
            if invoice.reference == reference:
                if invoice.status != "voided":
                    return invoice
                voided = voided or invoice
        return voided

    async def _all(self, reference: str) -> AsyncIterator[RemoteInvoice]:
        cursor: str | None = None
        seen: set[str | None] = set()
        while cursor not in seen:
            seen.add(cursor)
            found, cursor = await self.page(reference=reference, cursor=cursor)
            for invoice in found:
                yield invoice
            if cursor is None:
                return

    async def page(
        self, *, reference: str | None = None, cursor: str | None = None, limit: int = _PAGE
    ) -> tuple[list[RemoteInvoice], str | None]:
        """One page of invoices and the cursor of the next, None at the end."""
        path = self._wire.path("invoices")
        params = {"query.reference": reference, "query.cursor": cursor, "query.limit": limit}
        given = {self._wire[name]: value for name, value in params.items() if value is not None}
        return read_page(self._wire, f"GET {path}", await self._read(path, given))

    async def survey(self, cursor: str | None) -> SurveyPage:
        """One page of all invoices there are, also of those that nobody here made."""
        path = self._wire.path("invoices")
        given = {self._wire["query.limit"]: _PAGE} | ({self._wire["query.cursor"]: cursor} if cursor else {})
        return read_survey(self._wire, f"GET {path}", await self._read(path, given))

    async def details(self, invoice: RemoteInvoice) -> Details:
        """Its history and its change requests; what this API does not tell is left out."""
        requests = await self._requests(invoice) if invoice.status == "change_requested" else None
        return Details(await self._versions(invoice), requests)

    async def _versions(self, invoice: RemoteInvoice) -> tuple[RemoteVersion, ...]:
        path = self._wire.path("versions", id=invoice.external_id)
        found = await self._if_told(path)
        return () if found is None else read_versions(f"GET {path}", found)

    async def _requests(self, invoice: RemoteInvoice) -> tuple[RemoteRequest, ...] | None:
        token = token_of(invoice.link)
        if not token:
            return None
        path = self._wire.page(token)
        # Without our key: a page needs none, and at a real provider another host may serve it.
        params = {self._wire["query.preview"]: "1"}
        headers = {"Accept": "application/json"}
        try:
            found = await self._if_told(path, params=params, headers=headers, shown=_THE_PAGE)
            return None if found is None else read_requests(f"GET {_THE_PAGE}", found)
        except BadAnswer:
            return None
        except CallFailed as error:
            # What the other side said of it, and what httpx did, may repeat the path.
            raise CallFailed(f"GET {_THE_PAGE}", status=error.status, retry_after=error.retry_after) from None

    async def _if_told(self, path: str, **how: Any) -> bytes | None:
        """The body; None where the API has no such thing for us."""
        try:
            return await self._call("GET", path, **how)
        except CallFailed as error:
            if error.status in _NOT_TOLD:
                return None
            raise

    async def _read(self, path: str, params: dict[str, Any] | None = None) -> bytes:
        return await self._call("GET", path, params=params)

    async def _write(self, method: str, path: str, body: dict[str, Any], step_key: str) -> RemoteInvoice:
        headers = {**self._headers(), self._wire["header.idempotency"]: step_key}
        answer = await self._call(method, path, headers=headers, json=body, step_key=step_key)
        return read_invoice(self._wire, f"{method} {path}", answer)

    async def _call(self, method: str, path: str, **how: Any) -> bytes:
        """With our key, unless `how` brings headers of its own."""
        given = {"headers": self._headers()} | how
        return await call(self._client, method, self._url + path, system=_SYSTEM, **given)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.get_secret_value()}", "Accept": "application/json"}

    @staticmethod
    def _same(found: RemoteInvoice, external_id: str, words: str) -> RemoteInvoice:
        if found.external_id != external_id:
            raise BadAnswer(words, f"id: it speaks of another invoice, {found.external_id}")
        return found
