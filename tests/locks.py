"""Every package that is installed is the one that was locked: pinned to one version, by hashes, from no other place.

Run by `make check` as a program, and by the suite as a test.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LOCKS: Final = Path(__file__).parents[1] / "requirements"
_PINNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,._-]+\])?==[^\s=*;]+( ; [^\\]+)?")
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def faults(text: str) -> Iterator[str]:
    """What a lock's text has that is no pinned package with its hashes: an option, an address, an open version."""
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        words = entry.split(" --hash=", 1)
        hashes = entry[len(words[0]) :].split()
        if entry.strip() and not entry.startswith("#"):
            if not _PINNED.fullmatch(words[0].strip()):
                yield f"{words[0].strip()}: is not pinned to one version"
            elif not hashes or not all(map(_HASH.fullmatch, hashes)):
                yield f"{words[0].strip()}: has no sha256 hashes"


def main() -> int:
    """0 where all is pinned; else says what is not."""
    found = [f"{lock.name}: {one}" for lock in sorted(LOCKS.glob("*.lock")) for one in faults(lock.read_text())]
    sys.stderr.writelines(f"{one}\n" for one in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
