"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("segment", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("crm_ref", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stated_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", "source"),
    )
    op.create_index("ix_events_invoice", "events", ["invoice_id"], unique=False)
    op.create_index(
        "ix_events_pending",
        "events",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("fate = 'pending'"),
        postgresql_where=sa.text("fate = 'pending'"),
    )
    op.create_index("ix_events_received", "events", ["received_at", "id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index(
        "ix_tokens_live_name",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "crm_fields",
        sa.Column("customer_id", sa.String(length=100), nullable=False),
        sa.Column("field", sa.String(length=50), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("step_key", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
        ),
        sa.PrimaryKeyConstraint("customer_id", "field"),
    )
    op.create_table(
        "deals",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("customer_id", sa.String(length=100), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
        ),
        sa.PrimaryKeyConstraint("id", "key"),
    )
    op.create_table(
        "intents",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("motion", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=100), nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_intents_created", "intents", ["created_at", "key"], unique=False)
    op.create_index("ix_intents_customer", "intents", ["customer_id", "created_at"], unique=False)
    op.create_index(
        "ix_intents_unstarted",
        "intents",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("started_at IS NULL"),
        postgresql_where=sa.text("started_at IS NULL"),
    )
    op.create_table(
        "recipient_fields",
        sa.Column("customer_id", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("field", sa.String(length=50), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
        ),
        sa.PrimaryKeyConstraint("customer_id", "scope", "field"),
    )
    op.create_table(
        "assessments",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key", "revision"),
    )
    op.create_table(
        "cases",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("proposed", sa.JSON(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key", "id"),
    )
    op.create_index("ix_cases_status", "cases", ["status", "deadline"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("result_revision", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key", "digest"),
    )
    op.create_table(
        "entries",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key", "position"),
    )
    op.create_table(
        "invoices",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("recipient", sa.JSON(), nullable=False),
        sa.Column("available_actions", sa.JSON(), nullable=False),
        sa.Column("failed_step", sa.String(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=False),
        sa.Column("issued", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_invoices_external_id", "invoices", ["external_id"], unique=False)
    op.create_index("ix_invoices_status", "invoices", ["status"], unique=False)
    op.create_table(
        "mails",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("step_key", sa.String(), nullable=False),
        sa.Column("addressee", sa.String(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["key"],
            ["intents.key"],
        ),
        sa.PrimaryKeyConstraint("key", "version", "kind"),
    )


def downgrade() -> None:

    op.drop_table("mails")
    op.drop_index("ix_invoices_status", table_name="invoices")
    op.drop_index("ix_invoices_external_id", table_name="invoices")
    op.drop_table("invoices")
    op.drop_table("entries")
    op.drop_table("decisions")
    op.drop_index("ix_cases_status", table_name="cases")
    op.drop_table("cases")
    op.drop_table("assessments")
    op.drop_table("recipient_fields")
    op.drop_index(
        "ix_intents_unstarted",
        table_name="intents",
        sqlite_where=sa.text("started_at IS NULL"),
        postgresql_where=sa.text("started_at IS NULL"),
    )
    op.drop_index("ix_intents_customer", table_name="intents")
    op.drop_index("ix_intents_created", table_name="intents")
    op.drop_table("intents")
    op.drop_table("deals")
    op.drop_table("crm_fields")
    op.drop_index(
        "ix_tokens_live_name",
        table_name="tokens",
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.drop_table("tokens")
    op.drop_index("ix_events_received", table_name="events")
    op.drop_index(
        "ix_events_pending",
        table_name="events",
        sqlite_where=sa.text("fate = 'pending'"),
        postgresql_where=sa.text("fate = 'pending'"),
    )
    op.drop_index("ix_events_invoice", table_name="events")
    op.drop_table("events")
    op.drop_table("customers")
