"""The range of accepted seeds; command lines read it without importing configs."""

MAX_SEED = 2**63 - 1
"""The largest seed that PyTorch, NumPy and HDF5 all accept."""
