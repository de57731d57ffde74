"""Events queue up in lanes, one per invoice."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PENDING = sa.text("fate = 'pending'")


def upgrade() -> None:
    op.drop_index("ix_events_pending", table_name="events")
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("lane", sa.String(length=500), nullable=False, server_default=""))
    op.execute("UPDATE events SET lane = coalesce(reference, invoice_id)")
    op.create_index(
        "ix_events_lanes",
        "events",
        ["lane", "created_at", "received_at", "id", "source", "next_attempt_at", "fate"],
        unique=False,
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    op.drop_index("ix_events_lanes", table_name="events")
    op.drop_column("events", "lane")
    op.create_index(
        "ix_events_pending",
        "events",
        ["received_at"],
        unique=False,
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
