"""The folder of the project, which holds conf/, src/ and outputs/."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
