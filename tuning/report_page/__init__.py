"""A search as one HTML page, to read and to hand on: no network, no other file."""
