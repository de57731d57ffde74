"""Several dispatchers at once: who has which invoice's events in hand."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "dispatch_claims",
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("until", _AT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("dispatch_claims")
