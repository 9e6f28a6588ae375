"""Export of samplers: files that load without regen, each compared with the original, and a model card."""
