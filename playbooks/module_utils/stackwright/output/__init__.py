"""The transaction that brings rendered files to the environment's host."""
