"""Augmentations: batched tensor operations that draw separate random parameters for every image.

A kernel (``color``, ``geometry``, ``blur``) is a deterministic function of images and parameter tensors;
``draws`` draws the parameters; ``views`` combines the two under the paper's names, with the paper's
strengths (supplement, section 1.3) or others.

Given the same parameter, a kernel is within 1e-5 of torchvision's float32 function, and within 2.1/255 of
the 8-bit PIL image that the official code makes. Two differ more from PIL: ``color_rotation`` by up to
20/255, because PIL rounds hue and saturation to 8 bits, and ``affine``, where about 3 pixels in 10,000 come
from a different nearest neighbour.
"""
