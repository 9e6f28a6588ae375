"""Choose a strength by cross-validation from Python."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

from regen.api.composition import Overrides, compose_whole, list_overrides, running
from regen.cli.choose import main
from regen.cli.hydra_callback import summarize_multirun
from regen.utils.json_files import read_json


@dataclass(frozen=True)
class Choice:
    """Result of a cross-validation.

    Attributes:
        folder: choice.json, path.csv, path.png and report.html
        result: the contents of choice.json
    """

    folder: Path
    result: dict

    @property
    def regularizer(self) -> str | None:
        """The recommended regularizer, None if none is recommended."""
        return self.result["regularizer"]

    @property
    def recommended(self) -> dict[str, object] | None:
        """The recommended strength by its keys, like {"lambda_d": 1.0}."""
        return self.result["recommended"]

    @property
    def command(self) -> str | None:
        """The command that trains the final model."""
        return self.result["command"]

    @property
    def sentences(self) -> list[str]:
        """The diagnosis of each regularizer."""
        return [sentence for answer in self.result["answers"] for sentence in answer["sentences"]]


def choose(overrides: Overrides, *, config_dir: str | os.PathLike[str] | None = None) -> Choice:
    """Cross-validate the strengths of regularizers, as `regen choose OVERRIDES`, and return the result.

    Args:
        overrides: ["regularizer=r1", "data=digits", "budget=30min"], or a mapping.
        config_dir: a folder of your own options and classes, as --config-dir names it.

    A repeated call runs only missing fits. Raises ConfigError on an invalid request, and RuntimeError if fits failed.
    """
    with running("choose", list_overrides(overrides, config_dir), config_dir, ["--multirun"]) as words:
        cfg = compose_whole("choose", [word for word in words if "," not in word.partition("=")[2]])
        folder = Path(str(cfg.out or cfg.runs or cfg.hydra.sweep.dir))
        try:
            with summarize_multirun():
                cast(Hydra, GlobalHydra.instance().hydra).multirun("choose", main.__wrapped__, words)
        except SystemExit as leaving:
            raise RuntimeError(f"the choice in {folder} ended with exit status {leaving.code}") from leaving
        return Choice(folder, read_json(folder / "choice.json"))
