"""Read what a search has found: its front, confirmations, gain, exported configs."""
