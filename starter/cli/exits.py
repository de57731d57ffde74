"""Exit codes, in one place; scripts may rely on them.

0  done
1  refused or failed: the request was understood and the answer is no
2  usage: the command line is wrong, or a file it names cannot be read (Typer's own code)
3  not reachable: the API, Temporal or the database gave no answer
4  not allowed: no token, a wrong one, or one without the scope
5  not found
6  a port or the data directory is taken
7  checked and not in order: `doctor`, `audit`, `reconcile`, `demo`, `schedule show`, `invoice verify` or `policy check`
   found what a person must mend
"""

import contextlib
import logging
import os
import sys
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    TAKEN = 6
    NOT_IN_ORDER = 7


class Stop(Exception):
    """End the command with `code`; `lines` go to stderr."""

    def __init__(self, code: Exit, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.code = code
        self.lines = [line for line in lines if line]


def leave(code: int) -> NoReturn:
    """End this process with `code`, and with no other.

    Without Python's own end: threads of the Temporal client outlive its event loop, and one that calls into an
    interpreter that is being taken down ends the process by SIGSEGV or SIGABRT (temporalio/sdk-python issue 300),
    after the work was done and told.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code)
