"""Run by Alembic, always on a connection that records/migrate.py hands over: there is no second way to configure it."""

from alembic import context
from sqlmodel import SQLModel

from records import claim_tables, run_tables, tables, usage_tables

_METADATA = SQLModel.metadata
_TABLES = (claim_tables, run_tables, tables, usage_tables)
# Named so that the imports, which fill the metadata, are seen to be used.

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=_METADATA,
    transactional_ddl=True,  # SQLite can, once BEGIN is ours
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
