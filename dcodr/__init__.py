"""DCoDR: codes that are invariant to a labelled domain and informative of all else.

Kahana & Hoshen, "A Contrastive Objective for Learning Disentangled Representations", ECCV 2022,
https://arxiv.org/abs/2203.11284.
"""
