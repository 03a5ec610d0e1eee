"""Readers of the raw files of each dataset."""
