"""Propose the next trial."""
