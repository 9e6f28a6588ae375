"""Folders of the project: a clone holds conf/, src/ and outputs/; an installed package holds conf/ itself.

CLONE      the clone that this package is imported from, None if it is installed
CONF       the configuration files
EXAMPLES   the folder of examples; for an installed package, only own_project/
ROOT       the folder of outputs/, and the second base of relative paths after the working directory: the clone, or the
           working directory itself
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CLONE = PACKAGE.parents[1] if (PACKAGE.parents[1] / "conf/train.yaml").is_file() else None
CONF = CLONE / "conf" if CLONE else PACKAGE / "conf"
EXAMPLES = CLONE / "examples" if CLONE else PACKAGE / "examples"
ROOT = CLONE or Path.cwd()
