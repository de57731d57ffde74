"""Compares what our client needs of the invoicing API with what that API publishes about itself.

Much of the contract is our own reading of articles, so a live API may differ; this is where that shows before an
invoice meets it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx

from settings import Settings
from starter.cli.checks.finding import Finding, State, failed, ok

_TIMEOUT_S: Final = 10.0

CALLS: Final[dict[str, tuple[str, ...]]] = {
    "/invoices": ("get", "post"),
    "/invoices/{id}": ("get", "patch", "delete"),
    "/invoices/{id}/issue": ("post",),
    "/invoices/{id}/versions": ("post",),
    "/invoices/{id}/change-requests/{id}/decline": ("post",),
    "/invoices/{id}/void": ("post",),
}
# Every call that the client makes, below {url}/api/v1; a path's parameters are all spelled {id}.

FIELDS: Final = (
    "id", "status", "version", "currency", "total_cents", "share_url", "due_date", "reference", "line_items",
    "discount", "payment_terms", "recipient", "po_number",
)  # fmt: skip
# What the client reads or writes on an invoice.


async def invoicing(settings: Settings) -> list[Finding]:
    """Address, key, and each call and field: confirmed, absent or different."""
    if not settings.jupiter_url:
        return [failed("invoicing API", "there is no address", "set BILLHOOK_JUPITER_URL, or use `billhook up`")]
    if settings.jupiter_api_key is None:
        return [failed("invoicing API", "there is no key", "set BILLHOOK_JUPITER_API_KEY")]
    url = str(settings.jupiter_url).rstrip("/")
    headers = {"Authorization": f"Bearer {settings.jupiter_api_key.get_secret_value()}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_S) as client:
            listed = await client.get("/api/v1/invoices", params={"limit": 1})
            published = await client.get("/.well-known/openapi.json")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [failed("invoicing API", f"{url}: {type(error).__name__}", "check BILLHOOK_JUPITER_URL and the network")]
    return [_key(url, listed), *_published(url, published)]


def _key(url: str, answer: httpx.Response) -> Finding:
    if answer.status_code in {401, 403}:
        return failed("invoicing API", f"{url} refuses the key", "correct BILLHOOK_JUPITER_API_KEY")
    if not answer.is_success:
        return failed("invoicing API", f"{url} answers {answer.status_code}", "look at the API's own status page")
    return ok("invoicing API", f"{url} answers, and the key opens it")


def _published(url: str, answer: httpx.Response) -> list[Finding]:
    try:
        document = answer.raise_for_status().json()
    except (httpx.HTTPStatusError, ValueError):
        text = f"{url}/.well-known/openapi.json answers {answer.status_code}"
        return [Finding("openapi", State.ABSENT, text, "nothing can be compared; try one invoice by hand first")]
    return list(compare(document))


def compare(document: dict[str, Any]) -> Iterator[Finding]:
    """Each call and each invoice field that the client needs, looked up in an OpenAPI document."""
    offered = {_normal(path): item for path, item in document.get("paths", {}).items()}
    for path, methods in CALLS.items():
        for method in methods:
            yield _call(path, method, offered)
    yield from _fields(document)


def _normal(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{id}", re.sub(r"^/api/v1", "", path)).rstrip("/")


def _call(path: str, method: str, offered: dict[str, Any]) -> Finding:
    item = f"{method.upper()} {path}"
    if path not in offered:
        return Finding(item, State.ABSENT, "the API does not publish it", "ask the provider for its present path")
    if method not in offered[path]:
        there = ", ".join(name.upper() for name in offered[path] if name in {"get", "post", "put", "patch", "delete"})
        return Finding(
            item, State.DIFFERENT, f"the path is there with {there}", "ask the provider for the present method"
        )
    return Finding(item, State.CONFIRMED, "published as the client calls it")


def _fields(document: dict[str, Any]) -> Iterator[Finding]:
    schemas = document.get("components", {}).get("schemas", {})
    known: set[str] = set()
    for name in schemas:
        if name.lower().startswith("invoice") or name.lower() in {"draft", "newinvoice"}:
            known |= set(schemas[name].get("properties", {}))
    if not known:
        yield Finding(
            "invoice fields", State.WARNING, "no invoice schema is published", "try one invoice by hand first"
        )
        return
    absent = [field for field in FIELDS if field not in known]
    if not absent:
        yield Finding("invoice fields", State.CONFIRMED, f"all {len(FIELDS)} that the client uses")
    for field in absent:
        yield Finding(
            f"invoice.{field}", State.ABSENT, "no published invoice schema has it", "ask the provider for its name"
        )
