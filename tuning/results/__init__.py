"""Results of a search: its front, confirmations, gain, exported configs."""
