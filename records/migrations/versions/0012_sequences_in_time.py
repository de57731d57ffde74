"""A record's sequence is no longer a small count: it keeps up with the microseconds of its workflow task."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = (("invoices", "sequence"), ("cases", "sequence"), ("events", "stated_by"))


def upgrade() -> None:
    _retyped(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    """Counted from nothing again, so that what a workflow tells next is newer than what stands."""
    for table, column in _COLUMNS:
        rows = sa.table(table, sa.column(column))
        op.execute(sa.update(rows).where(rows.c[column].is_not(None)).values({column: 0}))
    _retyped(sa.BigInteger(), sa.Integer())


def _retyped(before: sa.types.TypeEngine[int], after: sa.types.TypeEngine[int]) -> None:
    """PostgreSQL alone tells them apart: an INTEGER of SQLite's holds 64 bits."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column in _COLUMNS:
            op.alter_column(table, column, existing_type=before, type_=after)
