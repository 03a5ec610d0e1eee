"""Compute what mattered: importances of settings, effects of augmentations."""
