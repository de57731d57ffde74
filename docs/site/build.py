"""The site: the documents are copied aside, the reference is written beside them, and Sphinx makes HTML of all.

Nothing is written under docs/, so that nothing there can be stale. A warning is an error, and so is a page that would
fetch a script, a style, a font or a picture from another host: the site reads and searches without a network.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs.site import reference

ROOT: Final = Path(__file__).parents[2]
TARGET: Final = ROOT / ".docs"
_OTHERS: Final = "(others)"
# Where the table of contents has the documents that it does not name one by one.
_FETCHED: Final = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=\"((?:https?:)?//[^\"]+)\"", re.IGNORECASE
)
_LINKED: Final = re.compile(r"\[([^\]\n]+)\]\((\.\./[^)\s]+)\)")
_STYLED: Final = re.compile(r"(?:@import\s+|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class Unsound(Exception):
    """The site cannot be used as it is; each line says why."""


def build(target: Path = TARGET) -> Path:
    """The folder of the HTML. Raises Unsound where Sphinx warns, or a page needs another host."""
    source, html = target / "source", target / "html"
    stage(source)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
               "-c", str(ROOT / "docs" / "site"), "-d", str(target / "doctrees"), str(source), str(html)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Unsound(done.stderr)
    if outside := sorted(fetched(html)):
        raise Unsound("\n".join(f"{page}: fetches {address}" for page, address in outside))
    return html


def stage(source: Path) -> None:
    """All documents and the reference into `source`, which then holds nothing else."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("site", "__pycache__"))
    reference.write(source / "reference")
    _list_others(source)
    for file in source.rglob("*.md"):
        _name_what_is_elsewhere(file, source)


def _list_others(source: Path) -> None:
    """A document that somebody adds is in the table of contents without being written there."""
    index = source / "index.md"
    text = index.read_text(encoding="utf-8")
    named = set(text.splitlines())
    others = sorted(file.stem for file in source.glob("*.md") if file.stem not in {*named, "index"})
    index.write_text(text.replace(_OTHERS, "\n".join(others)), encoding="utf-8")


def _name_what_is_elsewhere(file: Path, source: Path) -> None:
    """A link to a file of the tree that is no document is the file's name on the site, which does not hold it."""
    text = file.read_text(encoding="utf-8")
    beside = ROOT / "docs" / file.relative_to(source).parent

    def named(link: re.Match[str]) -> str:
        target = (beside / link[2].partition("#")[0]).resolve()
        is_elsewhere = target.exists() and not target.is_relative_to(ROOT / "docs")
        return link[1] if is_elsewhere else link[0]

    file.write_text(_LINKED.sub(named, text), encoding="utf-8")


def fetched(html: Path) -> Iterator[tuple[str, str]]:
    """Page or style, and an address at another host that a browser would fetch when it is opened."""
    for file in html.rglob("*"):
        if file.suffix in {".html", ".css"}:
            text = file.read_text(encoding="utf-8", errors="replace")
            for pattern in (_FETCHED, _STYLED):
                yield from ((str(file.relative_to(html)), address) for address in pattern.findall(text))
