"""Invoice numbers: one series per sender, without a gap.

The counter lives in the file and moves inside the transaction that issues. Whatever undoes the issue undoes the
number with it, which is the whole proof that none is lost.
"""

from typing import Any

from sandbox.store import Tx


def next_number(tx: Tx, invoice_id: str, prefix: str) -> str:
    """Assign the next number of the series to the invoice, within the caller's transaction."""
    row = tx.one(
        "INSERT INTO series (name, last) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
        prefix,
    )
    assert row is not None  # noqa: S101 - RETURNING always answers one row # nosec B101
    tx.run("UPDATE invoices SET ordinal = ? WHERE id = ?", row["last"], invoice_id)
    return f"{prefix}-{row['last']:05d}"


def survey(tx: Tx, prefix: str) -> dict[str, Any]:
    """What the series looks like: `{series, first, last, count, missing, contiguous}`."""
    used = [row["ordinal"] for row in tx.all("SELECT ordinal FROM invoices WHERE ordinal IS NOT NULL ORDER BY ordinal")]
    counter = tx.one("SELECT last FROM series WHERE name = ?", prefix)
    last = counter["last"] if counter else 0
    missing = sorted(set(range(1, last + 1)) - set(used))
    return {
        "series": prefix, "first": used[0] if used else None, "last": last or None, "count": len(used),
        "missing": missing, "contiguous": used == list(range(1, last + 1)),
    }  # fmt: skip
