"""Folders of runs written by hand: a configuration, a result and a log, as small as a comparison can do with."""

import csv
import json
from pathlib import Path

import yaml

TARGETS = {
    "r1": "regen.regularizers.gradients.R1",
    "r2": "regen.regularizers.gradients.R2",
    "l2": "regen.regularizers.outputs.L2",
}
KIND = {"finished": "generalizes", "diverged": "diverged"}


def regularizers(**strengths: float) -> dict:
    """The node `regularizer` of r1=0.1 and the like: lambda_d of each."""
    return {name: {"_target_": TARGETS[name], "lambda_d": value} for name, value in strengths.items()}


def run(
    path: Path,
    fd: float | None = 3.0,
    seed: int = 0,
    status: str = "finished",
    regularizer: dict | None = None,
    figures: dict | None = None,
    curve: tuple[float, ...] = (),
    speed: float = 1000.0,
    kind: str | None = None,
    monitor: str = "val/fd",
    **config: object,
) -> Path:
    """A run that ended with monitor = fd, or "running" without a result; `curve` is the same at 100, 200, … images.

    kind   of the diagnosis; None: "generalizes" of a finished run
    """
    path.mkdir(parents=True)
    data = {"_target_": "regen.data.digits.digits", "image_size": 16, "fold": config.pop("fold", None)}
    made = {"seed": seed, "monitor": monitor, "data": data, "regularizer": regularizer or {}, **config}
    (path / "config.yaml").write_text(yaml.safe_dump(made))
    (path / "overrides.yaml").write_text(yaml.safe_dump(["data.subset=100", f"seed={seed}"]))
    if status != "running":
        known = {monitor: fd, **(figures or {})} if fd is not None else {}
        result = {"status": status, "monitor": monitor, "figures": known, "images_per_second": speed, "seconds": 60.0}
        result |= {"diagnosis": {"kind": kind or KIND.get(status, "unknown"), "sentence": ""}, "best": known}
        (path / "result.json").write_text(json.dumps(result))
    with open(path / "metrics.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["iteration", "images_seen", monitor])
        rows.writerows([i, 100 * i, value] for i, value in enumerate(curve, 1))
    return path
