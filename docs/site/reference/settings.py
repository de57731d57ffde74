"""The settings, from `settings.py`: names, types and defaults from the class, remarks from the comments below them."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.site.markdown import code, page, prose, table
from settings import Settings

_PREFIX: Final = "BILLHOOK_"
_SAID: Final[Mapping[str, str]] = {
    "data_dir": "Where the embedded stack keeps everything; without `DATABASE_URL` the records too.",
    "database_url": "`postgresql://...`, or another `sqlite:///...`.",
    "jupiter_url": "The invoicing API.",
    "jupiter_api_key": "Its key.",
    "webhook_secrets": "`whsec_...`, comma separated while one is rotated; any of them verifies.",
    "public_url": "The address under which people and systems reach the API and the desk.",
    "policy_file": "Your `policy.toml`.",
    "motions_file": "Your `motions.toml`: billing groups, and what other systems' events start.",
    "smtp_url": "`smtp://` or `smtps://user:password@host:465`.",
    "mail_from": "The sender of every mail.",
    "ledger_file": "The journal that postings are appended to.",
    "crm": "Where deals are marked billed and recipients' fields are synced to.",
    "hubspot_url": "HubSpot's API, or whatever speaks as it does.",
    "log_format": "Lines for people, or for machines.",
    "delivery": "Who sends the link: we by mail, or the invoicing API.",
    "carry_po": "Whether a PO number is used again: per customer, per project, deal or subscription, or never.",
}
_TEMPORAL: Final = """## Temporal's own

Temporal's settings are Temporal's: `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_...` and
the profiles of its configuration file, as every Temporal tool reads them.
"""


def text() -> str:
    about = "`settings.py`; a variable of the environment counts before `.env`, and that before `billhook.toml`"
    said = {**remarks(), **_SAID}
    rows = [_row(name, field, said.get(name, "")) for name, field in Settings.model_fields.items()]
    return page("Settings", about, prose(Settings.__doc__), table(("variable", "default", ""), rows), _TEMPORAL)


def _row(name: str, field: Any, said: str) -> tuple[str, str, str]:
    default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
    return code(f"{_PREFIX}{name.upper()}"), default, f"{said[:1].upper()}{said[1:]}"


def _default(value: Any) -> str:
    found = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return "" if found in (None, "", {}, ()) else code(found)


def remarks() -> dict[str, str]:
    """By setting the comment below it, which it shares with those right before it that are named alike."""
    found: dict[str, str] = {}
    for names, remark in _groups():
        for name in names:
            if name == names[-1] or _alike(name, names[-1]):
                found[name] = remark
    return found


def _alike(one: str, other: str) -> bool:
    """`jupiter_rate` and `mail_rate`, `oidc_issuer` and `oidc_client_id`."""
    left, right = one.split("_"), other.split("_")
    return left[-1] == right[-1] or left[0] == right[0]


def _groups() -> Iterator[tuple[list[str], str]]:
    """Fields up to a comment, and that comment."""
    names: list[str] = []
    remark: list[str] = []
    for line in inspect.getsource(Settings).splitlines():
        stripped = line.strip()
        if stripped.startswith("# "):
            remark.append(stripped[2:])
            continue
        if remark:
            yield names, " ".join(remark)
            names, remark = [], []
        name = _field(stripped)
        if name in Settings.model_fields:
            names.append(name)
    if remark:
        yield names, " ".join(remark)


def _field(line: str) -> str:
    try:
        [statement] = ast.parse(line).body
    except (SyntaxError, ValueError):
        return line.split(":", maxsplit=1)[0]
    is_field = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    return statement.target.id if is_field else ""  # type: ignore[attr-defined]
