"""The studies of the paper's supplement."""
