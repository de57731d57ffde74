"""What people decide on: whose an approval is and until when, a case's times, contents, the trail, outside calls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _intents()
    _invoices()
    with op.batch_alter_table("cases") as cases:
        for name in ("remind_at", "warn_at", "first_response_at", "resolved_at", "breached_at"):
            cases.add_column(sa.Column(name, _AT, nullable=True))
        cases.add_column(sa.Column("resolved_by", sa.String(length=100), nullable=False, server_default=""))
        cases.add_column(sa.Column("in_part", sa.Boolean(), nullable=False, server_default=sa.false()))
    _new_tables()


def _intents() -> None:
    with op.batch_alter_table("intents") as intents:
        intents.add_column(sa.Column("scope", sa.String(length=200), nullable=False, server_default=""))
    payload = "payload::jsonb -> 'source' ->> 'scope'"
    if op.get_bind().dialect.name == "sqlite":
        payload = "json_extract(payload, '$.source.scope')"
    op.execute(f"UPDATE intents SET scope = coalesce({payload}, '')")  # noqa: S608 - one of the two texts above # nosec B608
    op.create_index("ix_intents_scope", "intents", ["scope", "motion", "created_at"])


def _invoices() -> None:
    op.drop_index("ix_invoices_status", table_name="invoices")
    with op.batch_alter_table("invoices") as invoices:
        invoices.add_column(sa.Column("assignee", sa.String(length=100), nullable=False, server_default=""))
        invoices.add_column(sa.Column("decide_by", _AT, nullable=True))
        invoices.add_column(sa.Column("approved_by", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index("ix_invoices_status", "invoices", ["status", "decide_by", "key"])


def _new_tables() -> None:
    op.create_table(
        "trail",
        _key(),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key", "position"),
    )
    op.create_table(
        "calls",
        _key(),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=50), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("system", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("step_key", sa.String(length=255), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", "position"),
    )
    op.create_table(
        "contents",
        _key(),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("commercial", sa.JSON(), nullable=True),
        sa.Column("issued_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("key", "revision"),
    )


def _key() -> sa.Column[str]:
    return sa.Column("key", sa.String(length=400), sa.ForeignKey("intents.key"), nullable=False)


def downgrade() -> None:
    """Each column in its place: a batch makes SQLite's table anew, which the rows that refer to an intent forbid."""
    for table in ("contents", "calls", "trail"):
        op.drop_table(table)
    for name in ("remind_at", "warn_at", "first_response_at", "resolved_at", "breached_at", "resolved_by", "in_part"):
        op.drop_column("cases", name)
    op.drop_index("ix_invoices_status", table_name="invoices")
    for name in ("assignee", "decide_by", "approved_by"):
        op.drop_column("invoices", name)
    op.create_index("ix_invoices_status", "invoices", ["status"])
    op.drop_index("ix_intents_scope", table_name="intents")
    op.drop_column("intents", "scope")
