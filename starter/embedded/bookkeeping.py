"""The journal, as somebody else's program reads it: bean-check is run, never imported."""

import asyncio
import shutil
import sys
from pathlib import Path

from settings import Settings
from starter.embedded.stack import Stack


def journal(stack: Stack) -> Path:
    """Where the stack's journal is."""
    return Settings(data_dir=stack.data_dir).ledger


async def bean_check(path: Path) -> str:
    """An empty string where bean-check accepts the journal, else what it said."""
    beside = Path(sys.prefix) / "bin" / "bean-check"
    program = str(beside) if await asyncio.to_thread(beside.exists) else shutil.which("bean-check")
    if program is None:
        return "bean-check is not installed"
    process = await asyncio.create_subprocess_exec(
        program, "--no-cache", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return "" if process.returncode == 0 else out.decode(errors="replace").strip()[:600] or "bean-check refuses it"
