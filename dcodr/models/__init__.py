"""The networks: encoder, generator, discriminator and the frozen perceptual backbone."""
