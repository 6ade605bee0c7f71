"""PostgreSQL: connections, statements, deadlines."""
