"""The exactness of a GPU's products of float32 numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float32_products(tf32: bool) -> Iterator[None]:
    """Choose how a GPU multiplies float32 numbers for a while, in matrix products and convolutions alike.

    By PyTorch's default matrix products are exact to float32, convolutions are not: they round their inputs
    to TF32, ten bits of mantissa instead of 23. On the CPU nothing changes.

    Args:
        tf32: Whether to round to TF32, which is several times as fast.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
