"""Data terms: the losses of GANs and the likelihoods of VAEs."""
