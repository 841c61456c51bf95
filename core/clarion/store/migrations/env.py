"""Run by Alembic: migrates the database on the connection that `open_database` hands over."""

from alembic import context

from clarion.store.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
