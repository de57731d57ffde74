"""A local mail sink: an SMTP server that keeps what it is sent as `.eml` files named by Message-ID.

It stands where a mail server would, so that the embedded stack really speaks SMTP and nobody is really mailed.
"""

import asyncio
import hashlib
import re
import sys
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope

from starter.embedded.ports import HOST

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9@._+-]")
_LONGEST: Final = 120
# A file name on any system, with room for the suffixes.


def file_name(message_id: str) -> str:
    """A file name that says the Message-ID as well as a file name can, and is another one for another Message-ID."""
    bare = message_id.strip().strip("<>")
    safe = _UNSAFE.sub("_", bare)[:_LONGEST].lstrip(".")
    digest = hashlib.sha256(bare.encode()).hexdigest()[:8]
    return safe if safe == bare else f"{safe}-{digest}"


class Keeper:
    """aiosmtpd's handler: writes each mail to `directory`. The same Message-ID again becomes `NAME.2.eml`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.original_content or b""
        message_id = message_from_bytes(content)["Message-ID"] or hashlib.sha256(content).hexdigest()
        path = self._free(file_name(str(message_id)))
        written = path.with_suffix(".part")
        written.write_bytes(content)
        written.replace(path)
        return f"250 kept as {path.name}"

    def _free(self, name: str) -> Path:
        # A second copy is kept beside the first: a mail sent twice must show.
        path, copy = self._directory / f"{name}.eml", 1
        while path.exists():
            copy += 1
            path = self._directory / f"{name}.{copy}.eml"
        return path


async def serve(directory: Path, port: int) -> None:
    """Listen until cancelled. Raises OSError when the port is taken."""
    keeper = Keeper(directory)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeper, hostname="localhost", enable_SMTPUTF8=True, loop=loop), HOST, port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
