"""Clusters: the check of their nodes before a search, and files that start one (``docs/cluster.md``)."""
