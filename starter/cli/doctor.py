"""`billhook doctor`: is everything in place, item by item, and what to do where it is not."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, say

if TYPE_CHECKING:
    from starter.cli.checks.finding import Finding


def doctor(as_json: AsJson = False) -> None:
    """Check Python, database, Temporal, the invoicing API, SMTP, policy, ledger, webhook secrets and port."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    _use_embedded_credentials()
    found = asyncio.run(_findings())
    if as_json:
        data_json(
            [{"item": one.item, "state": one.state, "text": one.text, "next_step": one.next_step} for one in found]
        )
    else:
        for one in found:
            data(f"{one.state:10} {one.item}: {one.text}")
            if one.next_step:
                data(f"{'':10} next: {one.next_step}")
    wrong = [one.item for one in found if not one.state.is_sound]
    if wrong:
        raise Stop(Exit.NOT_IN_ORDER, f"not in order: {', '.join(wrong)}")
    say("all in order")


async def _findings() -> "list[Finding]":
    from settings import load_settings  # noqa: PLC0415
    from starter.cli.checks import invoicing, local, services  # noqa: PLC0415

    settings = load_settings()
    return [
        local.python(),
        await services.database(settings),
        *await services.temporal(settings),
        *await invoicing.invoicing(settings),
        await services.smtp(settings),
        local.policy(settings),
        await local.ledger(settings),
        local.webhook_secrets(settings),
        local.port(settings),
    ]


def _use_embedded_credentials() -> None:
    """What `billhook up` keeps in its data directory counts here too, below the environment."""
    from starter.embedded import credentials  # noqa: PLC0415

    data_dir = Path(os.environ.get("BILLHOOK_DATA_DIR") or ".billhook")
    for file in (credentials.FILE_NAME, credentials.ADDRESSES):
        for name, value in credentials.read(data_dir, file).items():
            os.environ.setdefault(name, value)
