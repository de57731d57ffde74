"""What reconciliation needs of an invoice: the fields that its draft was sent with, and which run saw it last."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("invoices") as invoices:
        invoices.add_column(sa.Column("carried", sa.JSON(), nullable=False, server_default="{}"))
        invoices.add_column(sa.Column("seen_in", sa.String(length=100), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "seen_in")
    op.drop_column("invoices", "carried")
