"""What the tree names of its own documents is there: a reader who follows a path finds the file."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_NAMED: Final = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
_NUMBERED: Final = re.compile(r"docs/decisions/\d{4}")
_NO_TEXT: Final = {".png", ".svg", ".pyc"}


def files() -> Iterator[Path]:
    """All of the tree but what is hidden: environments, caches, the state of a stack."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not name.startswith(".") and name != "__pycache__"]
        yield from (Path(folder, name) for name in names if Path(name).suffix not in _NO_TEXT)


def named() -> dict[str, set[str]]:
    """Every path under docs/ that a file of the tree names, and which files name it."""
    found: dict[str, set[str]] = {}
    for file in files():
        for path in _NAMED.findall(file.read_text(errors="replace")):
            found.setdefault(path, set()).add(str(file.relative_to(ROOT)))
    return found


def is_there(path: str) -> bool:
    """A decision may be named by its number, where one bears it."""
    if _NUMBERED.fullmatch(path):
        return len(list(ROOT.glob(f"{path}-*.md"))) == 1
    return (ROOT / path).exists()


def test_every_document_that_is_named_is_there() -> None:
    paths = named()
    assert "docs/histories.md" in paths, "the search finds what README names"
    assert {path: sorted(where) for path, where in paths.items() if not is_there(path)} == {}
