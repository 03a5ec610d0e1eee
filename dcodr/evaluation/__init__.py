"""Evaluation of codes: probes, retrieval, collapse, and their report."""
