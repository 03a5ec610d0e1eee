"""Codes (embeddings) of new images: computed, kept in a file, searched, and drawn as a map."""
