"""The journal, as somebody else's program reads it: bean-check (GPL) is run, never imported."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

NOT_INSTALLED: Final = "bean-check is not installed"


async def bean_check(path: Path) -> str:
    """An empty string where bean-check accepts the journal, else what it said."""
    beside = Path(sys.prefix) / "bin" / "bean-check"
    program = str(beside) if await asyncio.to_thread(beside.exists) else shutil.which("bean-check")
    if program is None:
        return NOT_INSTALLED
    process = await asyncio.create_subprocess_exec(
        program, "--no-cache", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return "" if process.returncode == 0 else out.decode(errors="replace").strip()[:600] or "bean-check refuses it"
