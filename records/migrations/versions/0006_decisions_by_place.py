"""A decision is known by its place in the invoice, no longer by a hash of what it says, its time included."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SAID = "at, action, actor, revision, result_revision, note, channel"


def upgrade() -> None:
    _rebuilt(
        sa.Column("position", sa.Integer(), nullable=False),
        "position",
        "row_number() OVER (PARTITION BY key ORDER BY at, digest)",
        primary_key="decisions_by_position",
    )


def downgrade() -> None:
    _rebuilt(sa.Column("digest", sa.String(length=64), nullable=False), "digest", "CAST(position AS VARCHAR(64))")


def _rebuilt(
    column: sa.Column[int] | sa.Column[str], name: str, drawn_from: str, primary_key: str | None = None
) -> None:
    """The primary key changes, which neither database does in place and keeps the rows apart.

    In PostgreSQL its name is taken until the former table is gone; on the way back the first schema's own is free.
    """
    op.rename_table("decisions", "former_decisions")
    op.create_table(
        "decisions",
        sa.Column("key", sa.String(length=400), sa.ForeignKey("intents.key"), nullable=False),
        column,
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("result_revision", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("key", name, name=primary_key),
    )
    op.execute(
        f"INSERT INTO decisions (key, {name}, {_SAID}) SELECT key, {drawn_from}, {_SAID} FROM former_decisions"  # noqa: S608 - words of this file alone # nosec B608
    )
    op.drop_table("former_decisions")
