"""Ports of the stack: the ones asked for, checked before anything starts, or free ones for the demo."""

import socket
import time
from dataclasses import dataclass, fields
from typing import Final, Self

from starter.embedded.errors import PortTaken

HOST: Final = "127.0.0.1"
_RELEASE_S: Final = 1.5
# Children of a stack that was just killed give their ports back within milliseconds; do not blame them.


@dataclass(frozen=True)
class Ports:
    """One port per part. The field names are the flags: `api` is `--api-port`."""

    api: int = 8400
    sandbox: int = 8401
    temporal: int = 7233
    ui: int = 8233
    smtp: int = 8425

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody uses at this moment."""
        names = [field.name for field in fields(cls)]
        sockets = [socket.socket() for _ in names]
        try:
            for one in sockets:
                one.bind((HOST, 0))
            return cls(**{name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)})
        finally:
            for one in sockets:
                one.close()

    def check(self, needed: dict[str, str]) -> None:
        """`needed` maps a field to what it is for. Raises PortTaken naming port and flag."""
        until = time.monotonic() + _RELEASE_S
        for field, name in needed.items():
            port = getattr(self, field)
            while not _is_free(port):
                if time.monotonic() > until:
                    raise PortTaken(port, f"--{field}-port", name)
                time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True
