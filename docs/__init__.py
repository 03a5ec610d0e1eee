"""The documentation, and what its pages are made with."""
