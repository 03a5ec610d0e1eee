"""Encoder, generator and the frozen perceptual backbone."""
