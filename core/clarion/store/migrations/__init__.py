"""Alembic's migrations of the database; `clarion.store.database` runs them at start."""
