"""Studies of the paper's supplement."""
