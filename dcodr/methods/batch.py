"""What a method is given at each step."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Images of several domains, laid out domain by domain, equally many of each.

    Attributes:
        anchors: ``(B, 3, H, W)`` float32 images in [0, 1].
        positives: ``(B, 3, H, W)`` their augmented views.
        domain: ``(B,)`` int64 domain labels.
    """

    anchors: Tensor
    positives: Tensor
    domain: Tensor
