"""What outlives a restart: models in folders, operations in a database."""
