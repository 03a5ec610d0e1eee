"""Which seeds are accepted."""

MAX_SEED = 2**63 - 1
"""The largest seed that PyTorch, NumPy and HDF5 all take."""
