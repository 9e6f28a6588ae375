"""src/choose.py: strengths are cross-validated, and what their scores say is told. Imports nothing heavy."""
