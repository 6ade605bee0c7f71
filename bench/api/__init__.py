"""The API benchmark, ``make bench-api``: requests per second, latency and memory of the API and its peers."""
