"""Secrets: the vault, tokens, and masking in everything printed."""
