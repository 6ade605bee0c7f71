"""Tasks: what one is, what is done with them, and their SQL."""
