"""Augmentations: batched tensor operations with random parameters of their own for every image.

A kernel (``color``, ``geometry``, ``blur``) is a deterministic function of images and parameter tensors;
``draws`` draws the parameters; ``views`` joins the two under the paper's names (supplement, section 1.3).
"""

from dcodr.augmentations.views import Augment

__all__ = ["Augment"]
