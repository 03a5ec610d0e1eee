"""Precision of a GPU's products of float32 numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float32_products(tf32: bool) -> Iterator[None]:
    """Choose temporarily how a GPU multiplies float32 numbers, in matrix products and convolutions alike.

    By PyTorch's default, matrix products use full float32, but convolutions round their inputs to TF32, with
    ten bits of mantissa instead of 23. On the CPU nothing changes. Rounding is several times as fast.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
