"""Pairs of a generator and a discriminator, which adapt to the shape of the data."""
