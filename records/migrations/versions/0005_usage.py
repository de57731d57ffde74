"""Subscriptions with their plans, and what was used."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _subscriptions()
    _events()
    op.create_table(
        "usage_totals",
        _subscription(),
        sa.Column("billed_in", sa.String(length=7), nullable=False),
        sa.Column("meter", sa.String(length=100), nullable=False),
        sa.Column("used_in", sa.String(length=7), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "billed_in", "meter", "used_in"),
    )
    op.create_table(
        "usage_closings",
        _subscription(),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("closed_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "period"),
    )
    op.create_table(
        "usage_overages",
        _subscription(),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("meter", sa.String(length=100), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("found_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "period", "meter"),
    )


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(length=100), primary_key=True),
        sa.Column("customer_id", sa.String(length=100), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("billing_group", sa.String(length=100), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("payment_terms", sa.String(length=20), nullable=False),
        sa.Column("charges", sa.JSON(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("updated_at", _AT, nullable=False),
    )
    op.create_index("ix_subscriptions_group", "subscriptions", ["billing_group", "id"])
    op.create_index("ix_subscriptions_customer", "subscriptions", ["customer_id", "id"])


def _events() -> None:
    op.create_table(
        "usage_events",
        sa.Column("event_id", sa.String(length=200), primary_key=True),
        _subscription(),
        sa.Column("meter", sa.String(length=100), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("used_in", sa.String(length=7), nullable=False),
        sa.Column("billed_in", sa.String(length=7), nullable=False),
        sa.Column("told_at", _AT, nullable=False),
    )
    op.create_index("ix_usage_events_billed", "usage_events", ["subscription_id", "billed_in"])


def _subscription() -> sa.Column[str]:
    return sa.Column("subscription_id", sa.String(length=100), sa.ForeignKey("subscriptions.id"), nullable=False)


def downgrade() -> None:
    for table in ("usage_overages", "usage_closings", "usage_totals", "usage_events", "subscriptions"):
        op.drop_table(table)
