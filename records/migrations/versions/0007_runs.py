"""Monthly runs: how far each is, and what it made of every subscription."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_ON_THE_WAY = sa.text("key IS NOT NULL AND out_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "usage_runs",
        sa.Column("billing_group", sa.String(length=100), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("started_by", sa.String(length=200), nullable=False),
        sa.Column("started_at", _AT, nullable=False),
        sa.Column("told_at", _AT, nullable=False),
        sa.Column("finished_at", _AT, nullable=True),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(length=100), nullable=False),
        sa.Column("held_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("billing_group", "period"),
    )
    op.create_table(
        "usage_run_outcomes",
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("subscription_id", sa.String(length=100), sa.ForeignKey("subscriptions.id"), nullable=False),
        sa.Column("billing_group", sa.String(length=100), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=400), sa.ForeignKey("intents.key"), nullable=True),
        sa.Column("at", _AT, nullable=False),
        sa.Column("out_at", _AT, nullable=True),
        sa.PrimaryKeyConstraint("period", "subscription_id"),
    )
    columns = ["billing_group", "period", "outcome", "subscription_id"]
    op.create_index("ix_usage_run_outcomes_group", "usage_run_outcomes", columns)
    op.create_index(
        "ix_usage_run_outcomes_way",
        "usage_run_outcomes",
        ["key"],
        sqlite_where=_ON_THE_WAY,
        postgresql_where=_ON_THE_WAY,
    )


def downgrade() -> None:
    for table in ("usage_run_outcomes", "usage_runs"):
        op.drop_table(table)
