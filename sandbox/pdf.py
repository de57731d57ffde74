"""The invoice as a PDF, rendered on demand and kept nowhere.

The built-in fonts know Latin-1 only. Anything else is set in DejaVu Sans where the machine has it; where it has not, a
letter loses its accent or becomes a question mark, since a document with a gap is better than none.
"""

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from sandbox.config import SandboxConfig
from sandbox.money import discount_amount, formatted, line_amount, subtotal

FONTS = tuple(
    Path(root) / "DejaVuSans.ttf"
    for root in (
        "/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/TTF", "/usr/share/fonts/dejavu", "/Library/Fonts",
    )
)  # fmt: skip
WIDTHS = (95, 20, 35, 36)
LAST_COVERED = "\uffff"
# DejaVu Sans has next to nothing beyond the basic plane.


@lru_cache(maxsize=1)
def unicode_font() -> Path | None:
    """A font that covers more than Latin-1, if the machine has one."""
    return next((path for path in FONTS if path.is_file()), None)


def render(doc: dict[str, Any], config: SandboxConfig) -> bytes:
    """The PDF's bytes; any text can be rendered, in whatever script."""
    sheet = _Sheet(_fits_latin(doc, config))
    _head(sheet, doc, config)
    for line in doc["line_items"]:
        _line(sheet, doc, line)
    _sums(sheet, doc)
    if doc["footer_note"]:
        sheet.text_block(doc["footer_note"])
    sheet.text_block(f"{config.sender_name}\n{config.sender_address}\n{config.sender_bank}", size=8)
    return bytes(sheet.pdf.output())


class _Sheet:
    """A page with one font, and text made fit for it."""

    def __init__(self, latin: bool) -> None:
        self.pdf = FPDF(format="A4")
        self.pdf.set_margin(12)
        font = None if latin else unicode_font()
        self._transliterate = font is None
        self._family = "Helvetica"
        if font is not None:
            self.pdf.add_font("Wide", fname=str(font))
            self._family = "Wide"
        self.pdf.add_page()

    def _fit(self, text: str) -> str:
        clean = "".join(sign for sign in text if sign == "\n" or unicodedata.category(sign)[0] != "C")
        if not self._transliterate:
            return "".join(sign if sign <= LAST_COVERED else "?" for sign in clean)
        return "".join(_latin(sign) for sign in clean)

    def text_block(self, text: str, size: int = 10) -> None:
        """A paragraph over the whole width."""
        self.pdf.set_font(self._family, size=size)
        self.pdf.multi_cell(0, size * 0.5, self._fit(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.pdf.ln(2)

    def row(self, cells: tuple[str, ...]) -> None:
        """A table row; the first cell wraps."""
        self.pdf.set_font(self._family, size=10)
        top = self.pdf.get_y()
        self.pdf.multi_cell(WIDTHS[0], 6, self._fit(cells[0]), new_x=XPos.RIGHT, new_y=YPos.NEXT)
        bottom = self.pdf.get_y()
        self.pdf.set_xy(self.pdf.l_margin + WIDTHS[0], top if bottom > top else self.pdf.t_margin)
        for width, text in zip(WIDTHS[1:], cells[1:], strict=True):
            self.pdf.cell(width, 6, self._fit(text), align="R")
        self.pdf.set_xy(self.pdf.l_margin, bottom)


def _latin(sign: str) -> str:
    try:
        sign.encode("latin-1")
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", sign).encode("latin-1", "ignore").decode("latin-1")
        return plain or "?"
    return sign


def _fits_latin(doc: dict[str, Any], config: SandboxConfig) -> bool:
    try:
        f"{doc}{config.sender_name}{config.sender_address}{config.sender_bank}".encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _head(sheet: _Sheet, doc: dict[str, Any], config: SandboxConfig) -> None:
    sheet.text_block(config.sender_name)
    sheet.text_block(f"Invoice {doc['number'] or '(draft)'}", size=20)
    facts = {
        "Version": doc["version"], "Issued": doc["issue_date"], "Due": doc["due_date"], "PO number": doc["po_number"],
    }  # fmt: skip
    sheet.text_block("\n".join(f"{name}: {value}" for name, value in facts.items() if value))
    sheet.text_block("\n".join(recipient_lines(doc["recipient"])))
    sheet.row(("Description", "Quantity", "Unit price", "Amount"))


def recipient_lines(recipient: dict[str, Any]) -> list[str]:
    """The recipient as on an envelope, without what is not known."""
    address = recipient.get("address") or {}
    contact = recipient.get("ap_contact") or {}
    place = " ".join(filter(None, (address.get("postal_code"), address.get("city"), address.get("state"))))
    lines = [recipient.get("billing_entity") or recipient.get("company") or recipient.get("email")]
    lines += [address.get("line1"), address.get("line2"), address.get("line3"), place, address.get("country")]
    lines += [f"Tax id {recipient['tax_id']}" if recipient.get("tax_id") else None]
    lines += ["Attn. " + " ".join(filter(None, contact.values()))] if any(contact.values()) else []
    return [line for line in lines if line]


def _line(sheet: _Sheet, doc: dict[str, Any], line: dict[str, Any]) -> None:
    code = doc["currency"]
    cells = (
        line["description"],
        f"{line['quantity']:f}" if not isinstance(line["quantity"], int) else str(line["quantity"]),
    )
    sheet.row((*cells, formatted(line["unit_price_cents"], code), formatted(line_amount(line), code)))


def _sums(sheet: _Sheet, doc: dict[str, Any]) -> None:
    code, lines, discount = doc["currency"], doc["line_items"], doc["discount"]
    if discount:
        sheet.row(("Subtotal", "", "", formatted(subtotal(lines), code)))
        sheet.row(("Discount", "", "", formatted(-discount_amount(lines, discount), code)))
    sheet.row(("Total", "", "", formatted(doc["total_cents"], code)))
    sheet.pdf.ln(4)
