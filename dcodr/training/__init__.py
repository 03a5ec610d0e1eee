"""Train a config: the one loop, its batches, its checkpoints."""
