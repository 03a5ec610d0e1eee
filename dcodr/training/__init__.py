"""Training of a config: the loop, its batches, its checkpoints."""
