"""Redis beside the database, never older than an acknowledged write."""
