"""Tokens that expire, and what an agent's is bound to: amounts and customers."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("limits", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("tokens", sa.Column("customers", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("tokens", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """An agent's token opens nothing without its bounds, and one that expires would live for ever: both are revoked."""
    op.execute(
        "UPDATE tokens SET revoked_at = CURRENT_TIMESTAMP WHERE revoked_at IS NULL"
        " AND (expires_at IS NOT NULL OR CAST(customers AS TEXT) <> '[]')"
    )
    for column in ("expires_at", "customers", "limits"):
        op.drop_column("tokens", column)
