"""Environments under Docker Compose."""
