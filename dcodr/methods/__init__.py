"""The systems that learn codes (embeddings). Each consists of its networks and the losses of a batch."""
