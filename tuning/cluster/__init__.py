"""Clusters: the check of their nodes before a search, and the start of Ray (``docs/cluster.md``)."""
