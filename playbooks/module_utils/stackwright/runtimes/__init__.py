"""How an environment runs: with Docker Compose, or embedded."""
