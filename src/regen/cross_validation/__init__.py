"""Cross-validation of regularization strengths (src/choose.py). Imports nothing heavy."""
