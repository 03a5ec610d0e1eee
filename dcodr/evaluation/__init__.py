"""What is measured on codes: probes, retrieval, collapse, and their report."""
