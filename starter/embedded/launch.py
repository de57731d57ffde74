"""Start one child so that it cannot outlive its supervisor, whatever becomes of that one.

Run as a file by a bare interpreter: `python -I -S launch.py PARENT_PID COMMAND...`. On Linux the kernel is asked to
kill the process when its parent dies, and the command then takes this process over. Elsewhere the launcher stays
between the two and watches its standard input, a pipe that only the supervisor holds.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
# <linux/prctl.h>; it survives execve.


def main() -> None:
    """Never returns: becomes the command, or waits for it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        _die_with(parent)
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command, no shell # nosec B606
    _stay_between(command)


def _die_with(parent: int) -> None:
    import ctypes  # noqa: PLC0415 - only where there is a prctl

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        # The supervisor died before the kernel had been asked.
        sys.exit(1)


def _stay_between(command: list[str]) -> None:
    import subprocess  # noqa: PLC0415
    import threading  # noqa: PLC0415

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the supervisor's own command, no shell # nosec B603

    def watch() -> None:
        sys.stdin.buffer.read()
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    sys.exit(child.wait())


if __name__ == "__main__":
    main()
