"""Drawing from a run: its latents, what is made of them, and how it is written."""
