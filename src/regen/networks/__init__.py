"""Architectures of generator, discriminator and encoder, which adapt to the shape of the data."""
