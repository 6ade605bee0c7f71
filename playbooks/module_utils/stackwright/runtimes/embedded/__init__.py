"""The runtime without Docker: PostgreSQL, Redis and the API as local processes under supervisord (Linux only)."""
