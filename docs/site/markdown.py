"""Tables and code in Markdown, with nothing in a cell that would end it."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a blank line after it; empty where there are no rows."""
    lines = [_row(cells) for cells in rows]
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines, "", ""]) if lines else ""


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """`value` as code, or nothing for nothing."""
    text = str(value)
    return f"`{text}`" if text else ""


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def prose(doc: str | None) -> str:
    """A docstring as paragraphs; its placeholders in braces and angles are no markup."""
    parts = (" ".join(part.split()) for part in (doc or "").split("\n\n"))
    return "\n\n".join(part.replace("<", "\\<") for part in parts if part)


def page(title: str, about: str, *parts: str) -> str:
    """A page that says where it comes from."""
    note = f"*Written at every build from {about}.*"
    return "\n\n".join([f"# {title}", note, *(part.rstrip("\n") for part in parts if part)]) + "\n"
