"""Ports of the stack: the ones asked for, checked before anything starts, or free ones for the demo."""

import socket
import time
from dataclasses import dataclass, fields
from itertools import islice
from random import SystemRandom
from typing import Final, Self

from starter.embedded.errors import PortTaken

HOST: Final = "127.0.0.1"
_RELEASE_S: Final = 1.5
# Children of a stack that was just killed give their ports back within milliseconds; do not blame them.
_UNASSIGNED: Final = range(20_000, 32_000)
# Below the ports that a system hands out by itself (32768 and up): one of those may be another's before the part that
# it is for has started, since Temporal opens a dozen of them.


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
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))

    def check(self, needed: dict[str, str]) -> None:
        """`needed` maps a field to what it is for. Raises PortTaken naming port and flag."""
        until = time.monotonic() + _RELEASE_S
        for field, name in needed.items():
            port = getattr(self, field)
            while not _is_free(port):
                if time.monotonic() > until:
                    raise PortTaken(port, f"--{field}-port", name)
                time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """So many ports that nobody uses at this moment, drawn at random."""
    drawn = SystemRandom().sample(_UNASSIGNED, len(_UNASSIGNED))
    return list(islice(filter(_is_free, drawn), count))


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True
