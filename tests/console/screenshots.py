"""`make screenshots`: each page of the desk over a firm's two months, as PNG files for docs/desk.md.

The open work is real, on the whole stack with Temporal, so that what a picture shows can be done.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from temporalio.testing import WorkflowEnvironment

from records.tokens import Scope
from tests.console import world
from tests.console.browser import Person, at_the_desk, launched, shot
from tests.console.seeding import seed
from tests.console.seeding_usage import metered
from tests.stack import Stack, running_stack
from workflows import visibility

FOLDER: Final = Path(__file__).parents[2] / "docs" / "desk"
_LARGEST: Final = 300_000
_TALL: Final = 900
_TALLEST: Final = {
    "change-request": 1500,
    "invoice": 1900,
    "dashboard": 1700,
    "dashboard-dark": 1700,
    "edit": 1300,
    "run": 1900,
}
_ZONE: Final = "Europe/Berlin"
_NARROW: Final = {"width": 390, "height": 800}
_SCOPES: Final = (Scope.APPROVE, Scope.ADMIN)
_POLICY: Final = """
[thresholds]
default = "25000.00"
JPY = "3500000"
KWD = "7500.000"
[approval]
assignee = "dana"
escalate_to = "robin"
[cases]
owner = "dana"
escalate_to = "robin"
[business_hours]
"""
_MOTIONS: Final = """
[[billing_groups]]
name = "europe"
zone = "Europe/Berlin"

[[billing_groups]]
name = "nz"
zone = "Pacific/Auckland"
"""
_MESSAGE: Final = (
    "Hi, our PO only covers the design work. Could you bill the workshop for half a day, as we did it, and give us the "
    "usual 45 days? Thanks, Ines"
)


async def furnish(stack: Stack) -> dict[str, str]:
    """What is open at the desk; its keys by name."""
    await seed(stack.database, datetime.now(UTC))
    await stack.token("robin", Scope.APPROVE)
    keys = {}
    for name, customer, amount, currency, what in (
        ("large", "halcyon", "48500.00", "USD", "Data migration, phase 2"),
        ("euro", "nordwind", "31200.00", "EUR", "Warehouse go-live"),
        ("yen", "sakura", "4200000", "JPY", "Robot cell commissioned"),
    ):
        trigger = {"customer_id": customer, "amount": amount, "currency": currency, "description": what}
        keys[name] = await world.to_approve(stack, **trigger, project_id=f"{customer}_12")
    keys["parked"] = await world.parked(
        stack, customer_id="manara", currency="KWD", amount="1850.000", project_id="manara_7"
    )
    asks = {"customer_id": "quill-oak", "currency": "GBP", "project_id": "quill_31"}
    proposed = {"line_items": world.PROPOSED, "payment_terms": "net_45"}
    keys["case"] = await world.change_requested(stack, _MESSAGE, asks, **proposed)
    keys["found"] = await world.sent(stack, customer_id="brightwater", project_id="brightwater_4")
    await world.quarantined(stack, keys["found"], "no invoice of ours has the reference it names; tried 8 times")
    keys["second"] = await _second_version(stack)
    keys["month"] = await metered(stack.database, datetime.now(UTC))
    return keys


async def _second_version(stack: Stack) -> str:
    """Issued, viewed, asked to be changed, issued again and billed."""
    asks = {"customer_id": "halcyon", "project_id": "halcyon_9"}
    key = await world.change_requested(stack, _MESSAGE, asks, line_items=world.PROPOSED, payment_terms="net_45")
    await world.accepted(stack, key, parts=["line_items"], note="The workshop was half a day. Terms stay as agreed.")
    await world.approved(stack, key)
    await stack.recipient(key, "amend", po_number="PO-88214", tax_id="US-84-1234567")
    await stack.recipient(key, "approve", version="2")
    await stack.until(key, "billed")
    return key


Step = Callable[[Person, dict[str, str]], Awaitable[None]]


def _page(path: str) -> Step:
    async def go(person: Person, keys: dict[str, str]) -> None:
        await person.go(path.format(**keys))

    return go


async def _sheet(person: Person, keys: dict[str, str]) -> None:
    await person.go("/desk/")
    await person.row(keys["euro"]).get_by_role("link", name="Approve").click()
    await person.sheet().get_by_role("button", name="Approve").wait_for()


async def _edit(person: Person, keys: dict[str, str]) -> None:
    await person.go(f"/desk/invoices/{keys['large']}/do/approve-edited")
    await person.page.get_by_label("Unit price").first.fill("46000.00")
    await person.page.get_by_label("Note").fill("Phase 2 was cut by a week, as agreed on the phone.")
    await person.page.get_by_role("button", name="Show the effect").click()
    await person.page.get_by_role("region", name="What your edit changes").wait_for()


async def _run(person: Person, keys: dict[str, str]) -> None:
    await person.go(f"/desk/runs/europe/{keys['month']}")
    await person.page.get_by_role("heading", name="What the run starts").wait_for()


PAGES: Final[dict[str, Step]] = {
    "inbox": _page("/desk/"),
    "approve": _sheet,
    "edit": _edit,
    "invoices": _page("/desk/invoices"),
    "change-request": _page("/desk/invoices/{case}"),
    "invoice": _page("/desk/invoices/{second}"),
    "runs": _page("/desk/runs"),
    "run": _run,
    "repair": _page("/desk/repair"),
    "events": _page("/desk/events"),
    "dashboard": _page("/desk/dashboard?days=30"),
}
DARK: Final = ("inbox", "dashboard")


@asynccontextmanager
async def _stack(folder: Path) -> AsyncIterator[Stack]:
    policy = folder / "policy.toml"
    policy.write_text(_POLICY)
    motions = folder / "motions.toml"
    motions.write_text(_MOTIONS)
    temporal = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which("temporal")
    async with AsyncExitStack() as around:
        server = await WorkflowEnvironment.start_local(
            dev_server_existing_path=temporal, search_attributes=visibility.ALL
        )
        around.push_async_callback(server.shutdown)
        address = server.client.service_client.config.target_host
        given = {
            "policy_file": policy,
            "motions_file": motions,
            "desk_zone": _ZONE,
            "temporal_ui_url": "http://127.0.0.1:8233",
            "jupiter_rate": 20,
        }
        yield await around.enter_async_context(running_stack(address, folder, **given))


async def main() -> None:
    """Every picture anew. Raises AssertionError where one is too large for a page of documentation."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        async with launched() as browser, _stack(Path(folder)) as stack:
            keys = await furnish(stack)
            for scheme, names in (("light", PAGES), ("dark", DARK)):
                async with at_the_desk(browser, stack, "dana", *_SCOPES, color_scheme=scheme) as dana:
                    if scheme == "light":
                        await dana.go("/desk/sign-in")
                        await _taken(dana, "sign-in")
                    await dana.sign_in()
                    for name in names:
                        await PAGES[name](dana, keys)
                        await _taken(dana, name if scheme == "light" else f"{name}-{scheme}")
            async with at_the_desk(browser, stack, "dana", *_SCOPES, viewport=_NARROW) as dana:
                await dana.sign_in()
                await _taken(dana, "inbox-narrow")


async def _taken(person: Person, name: str) -> None:
    path = FOLDER / f"{name}.png"
    await shot(person.page, path, _TALLEST.get(name, _TALL))
    size = path.stat().st_size
    assert size < _LARGEST, f"{path.name} has {size} bytes"


if __name__ == "__main__":
    asyncio.run(main())
