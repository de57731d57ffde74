"""`billhook demo`: the stack on free ports, a month played on it, and the comparison at the end."""

import asyncio
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from audit.auditor import audit
from records.tokens import Scope
from starter.embedded import auditing, bookkeeping, credentials
from starter.embedded.demo import compare, people, show
from starter.embedded.demo.month import Example, customers, month
from starter.embedded.errors import StackError
from starter.embedded.ports import Ports
from starter.embedded.stack import Stack
from starter.embedded.supervisor import Say
from starter.embedded.tokens import fresh_token
from starter.embedded.up import running

_PATIENCE_S: Final = 150.0
# The whole demo promises three minutes.
_ROUND_S: Final = 0.25
_REMOVES: Final = " and removes the data directory (--keep keeps it)"


async def demo(data_dir: Path | None, *, stay: bool, keep: bool, say: Say) -> int:
    """The number of disagreements found; 0 is sound. Raises StackError where the stack cannot stand."""
    wrong: list[str] = []
    with directory(data_dir, wrong, keep=keep, say=say) as folder:
        ports = Ports.free()
        say(f"data directory {folder}; free ports taken: {ports}")
        started = time.monotonic()
        async with running(folder, ports, say) as (stack, supervisor):
            if stack.outside.jupiter:
                raise StackError("the demo plays recipients on the sandbox only", "unset BILLHOOK_JUPITER_URL")
            for line in stack.addresses():
                say(line)
            wrong += await _month(stack, say)
            _verdict(wrong, time.monotonic() - started, say)
            if stay:
                _invitation(stack, say)
                say(f"the stack stays up; Ctrl-C stops everything{'' if data_dir or keep else _REMOVES}")
                await supervisor.forever()
    return len(wrong)


@contextmanager
def directory(given: Path | None, wrong: Sequence[str], *, keep: bool, say: Say) -> Iterator[Path]:
    """Where the demo keeps everything: what was `given`, or a directory of its own that goes with it.

    That one stays where it is to be kept, and for the logs in it where it failed or something is `wrong`.
    """
    folder = given or Path(tempfile.mkdtemp(prefix="billhook-demo-"))
    stays = given is not None or keep
    try:
        yield folder
    except Exception:
        stays = True
        raise
    finally:
        if stays or wrong:
            say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
            say(f"removed {folder}; --keep keeps it")


def _invitation(stack: Stack, say: Say) -> None:
    """How to take up what the month left for a person."""
    say("the month leaves an approval and a change request to you")
    kept = stack.data_dir / credentials.FILE_NAME
    say(f"desk: sign in at {stack.api_url}/desk with the {credentials.TOKEN} of {kept}")
    say("terminal: `billhook approvals list` and `billhook cases list`, after")
    say(f"export BILLHOOK_DATA_DIR={shlex.quote(str(stack.data_dir))}")


async def _month(stack: Stack, say: Say) -> list[str]:
    trigger_token = await fresh_token(stack, "demo-systems", [Scope.TRIGGER, Scope.READ])
    approve_token = await fresh_token(stack, "demo-approver", [Scope.APPROVE, Scope.READ])
    async with (
        people.caller(stack.api_url, stack.secrets[credentials.TOKEN]) as admin,
        people.caller(stack.api_url, trigger_token) as systems,
        people.caller(stack.api_url, approve_token) as approver,
        people.browser() as browser,
    ):
        for one in customers():
            body = {name: value for name, value in one.items() if name != "id"}
            await people.asked(admin, "PUT", f"/customers/{one['id']}", body)
        keys, wrong = await people.trigger(systems, month())
        await _play(keys, people.Approver(approver, keys), people.Recipients(browser), systems)
        invoices = await _whole(systems, keys)
        truth = await people.asked(browser, "GET", f"{stack.jupiter_url}/_sandbox/audit")
    return [*wrong, *await _compared(stack, keys, invoices, truth), *await _audited(stack, say)]


async def _audited(stack: Stack, say: Say) -> list[str]:
    """The invariants over the same month, by every source that an audit has."""
    async with auditing.sources_of_stack(stack, say) as sources:
        report = await audit(sources)
    show.audited(Console(file=sys.stdout, width=_width()), report)
    return [f"{name} {found.subject}: {found.evidence}" for name, found in report.violations]


async def _play(
    keys: dict[str, Example], approver: people.Approver, recipients: people.Recipients, systems: Any
) -> None:
    """Rounds of looking, as people do, until everything rests or patience ends; the comparison says what is wrong."""
    until = time.monotonic() + _PATIENCE_S
    with _progress() as progress:
        task = progress.add_task("billing", total=len(keys), states="")
        while time.monotonic() < until:
            await approver.look()
            found = {one["key"]: one for one in await people.listed(systems, "/invoices")}
            present = {key: found[key] for key in keys if key in found}
            await asyncio.gather(*(recipients.react(keys[key], one) for key, one in present.items()))
            states = Counter(one["status"] for one in present.values())
            rested = sum(keys[key].is_at_rest(one) for key, one in present.items())
            words = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            progress.update(task, completed=rested, states=words)
            if rested == len(keys):
                return
            await asyncio.sleep(_ROUND_S)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TextColumn("{task.fields[states]}"))  # fmt: skip
    return Progress(*columns, console=Console(stderr=True))


async def _whole(systems: Any, keys: dict[str, Example]) -> list[dict[str, Any]]:
    """Every invoice as its own page shows it, and those that no example asked for."""
    names = [one["key"] for one in await people.listed(systems, "/invoices")]
    missing = [key for key in keys if key not in names]
    return [await people.asked(systems, "GET", f"/invoices/{name}") for name in names + missing]


async def _compared(
    stack: Stack, keys: dict[str, Example], invoices: list[dict[str, Any]], truth: dict[str, Any]
) -> list[str]:
    journal = bookkeeping.journal(stack)
    books = compare.totals(invoices, truth, journal)
    console = Console(file=sys.stdout, width=_width())
    show.invoices(console, invoices)
    show.totals(console, books)
    refused = await bookkeeping.bean_check(journal)
    wrong = compare.disagreements(keys, invoices, truth) + books.disagreements()
    folded = sum(example.times - 1 for example in keys.values())
    numbers = truth["numbers"]
    console.print(f"{len(keys)} invoices; {folded} repeated triggers folded into them")
    console.print(
        f"numbers {numbers['first']} to {numbers['last']}, contiguous: {'yes' if numbers['contiguous'] else 'no'}"
    )
    console.print(f"bean-check: {refused or 'accepted'}")
    return [*wrong, *([f"bean-check: {refused}"] if refused else [])]


def _width() -> int | None:
    """Piped into a file there is no terminal to fit into."""
    return None if sys.stdout.isatty() else 160


def _verdict(wrong: list[str], seconds: float, say: Say) -> None:
    for one in wrong:
        say(f"DISAGREES  {one}")
    say(f"{'all books agree' if not wrong else f'{len(wrong)} disagreements'}; {seconds:.0f} s")
