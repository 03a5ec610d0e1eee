"""A live page of a search on this machine."""
