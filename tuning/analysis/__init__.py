"""What a search has found: importances, effects of augmentations."""
