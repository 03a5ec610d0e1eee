"""Datasets of images with a labelled domain and labelled attributes."""
