"""Checks of this machine and its files: Python, policy, ledger, webhook secrets, port."""

import base64
import binascii
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from settings import Settings, load_policy
from starter.cli.checks.finding import Finding, failed, ok, warning

OLDEST: Final = (3, 11)
_SECRET_BYTES: Final = range(24, 65)
# Standard Webhooks asks for 24 to 64 bytes.


def python() -> Finding:
    text = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < OLDEST:
        return failed("python", f"{text} is too old", "use Python 3.11 or newer")
    return ok("python", text)


def policy(settings: Settings) -> Finding:
    if settings.policy_file is None:
        return ok("policy", "the built-in policy; set BILLHOOK_POLICY_FILE for your own")
    from billing.errors import BadInput  # noqa: PLC0415

    try:
        found = load_policy(settings)
    except BadInput as error:
        return failed(
            "policy",
            error.detail,
            error.next_step or f"correct it, then billhook policy check {settings.policy_file}",
        )
    return ok("policy", f"{settings.policy_file}, content hash {found.content_hash}")


async def ledger(settings: Settings) -> Finding:
    path = Path(settings.ledger)
    if not path.exists():  # noqa: ASYNC240 - a command line that does nothing else meanwhile
        return ok("ledger", f"{path} is not there yet; the first approved invoice makes it")
    from starter.embedded.bookkeeping import bean_check  # noqa: PLC0415

    said = await bean_check(path)
    return failed("ledger", said, f"correct {path}") if said else ok("ledger", f"bean-check accepts {path}")


def webhook_secrets(settings: Settings) -> Finding:
    found = settings.webhook_secret_list
    if not found:
        return failed(
            "webhook secrets", "there are none", "set BILLHOOK_WEBHOOK_SECRETS=whsec_..., as the API shows it"
        )
    for position, secret in enumerate(found, start=1):
        if not _is_secret(secret):
            return failed("webhook secrets", f"number {position} is no whsec_ secret", "copy it again, prefix and all")
    return ok("webhook secrets", f"{len(found)} set; each verifies")


def _is_secret(secret: str) -> bool:
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        return False
    return secret.startswith("whsec_") and len(raw) in _SECRET_BYTES


def port(settings: Settings) -> Finding:
    from starter.embedded.errors import PortTaken  # noqa: PLC0415
    from starter.embedded.ports import Ports  # noqa: PLC0415

    number = urlsplit(settings.public_url).port or Ports.api
    try:
        Ports(api=number).check({"api": "HTTP API"})
    except PortTaken:
        return warning("port", f"{number} is in use", "fine if that is Billhook itself; else billhook up --api-port N")
    return ok("port", f"{number} is free")
