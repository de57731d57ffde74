"""What can keep the embedded stack from standing, in words that say what to do next."""

from pathlib import Path


class StackError(Exception):
    """The stack cannot stand. `next_step` may be empty."""

    def __init__(self, detail: str, next_step: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.next_step = next_step


class PortTaken(StackError):
    """Somebody else listens on a port that a part needs."""

    def __init__(self, port: int, flag: str, name: str) -> None:
        super().__init__(
            f"port {port} for the {name} is taken",
            f"stop what listens there, or choose another one with {flag}",
        )


class DirectoryInUse(StackError):
    """Another stack runs on the same data directory."""

    def __init__(self, directory: str) -> None:
        super().__init__(f"another `billhook up` runs on {directory}", "stop it, or choose another --data-dir")


class PartFailed(StackError):
    """A part ended, or did not become healthy in time, while the stack was being started."""

    def __init__(self, name: str, reason: str, log: Path | None, tail: str) -> None:
        words = f"the {name} did not start: {reason}"
        super().__init__(f"{words}\n{tail}" if tail else words, f"read {log or 'what it said above'}")
