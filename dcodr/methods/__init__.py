"""The systems that learn embeddings: each is its networks and the losses of a batch."""
