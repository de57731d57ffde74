"""`billhook doctor`: is everything in place, item by item, and what to do where it is not."""

from typing import TYPE_CHECKING

from starter.cli.exits import Exit, Stop
from starter.cli.output import AsJson, data, data_json, say
from starter.cli.surroundings import use_embedded_credentials

if TYPE_CHECKING:
    from starter.cli.checks.finding import Finding


def doctor(as_json: AsJson = False) -> None:
    """Check Python, database, Temporal, invoicing API, SMTP, policy and its people, ledger, webhooks, CRM and port."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    use_embedded_credentials()
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
    from starter.cli.checks import invoicing, local, people, services, vendors  # noqa: PLC0415

    settings = load_settings()
    return [
        local.python(),
        await services.database(settings),
        *await services.connections(settings),
        *await services.temporal(settings),
        *await invoicing.invoicing(settings),
        await services.smtp(settings),
        local.policy(settings),
        *await people.people(settings),
        await local.ledger(settings),
        local.webhook_secrets(settings),
        *await vendors.vendors(settings),
        local.port(settings),
    ]
