"""Analysis of a search: importances of settings, effects of augmentations."""
