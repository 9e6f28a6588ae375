"""W&B workspace, written as a specification and saved if an account is configured."""

import sys
from pathlib import Path
from typing import cast

from omegaconf import DictConfig

from regen.errors import ConfigError
from regen.metrics.registry import is_higher_better
from regen.sweeps.sweep_summary import rows
from regen.tracking.connection import log_in
from regen.tracking.workspace import Shown, workspace
from regen.utils.project import ROOT
from regen.utils.safe_files import write_safely

AXES = ("regularizer", "lambda_g", "lambda_d")
MONITOR = "val/generalization"  # of conf/data for images


def view(cfg: DictConfig) -> bool:
    """Save the workspace; returns False, with a message, without an account.

    Raises ConfigError if wandb-workspaces is not installed, OSError if W&B cannot be reached or refuses.
    """
    sweep = _folder(cfg.sweep)
    made = workspace(_shown(cfg, sweep))
    out = Path(cfg.out) if cfg.out else (sweep or ROOT / "outputs") / "wandb_view.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_safely(out, specification(made).encode())
    import wandb

    try:
        if not log_in():
            print(f"no W&B account: type wandb login, then repeat this command. The view is in {out}", file=sys.stderr)
            return False
        made.entity = made.entity or cast(str, wandb.Api().default_entity)
        made.save()
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise OSError(f"W&B did not accept the view ({said}). It is in {out}") from error
    print(f"view     {made.url}")
    return True


def specification(made) -> str:
    """Return W&B's JSON of a workspace."""
    return made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


def _folder(sweep: str | None) -> Path | None:
    """Find the folder of a sweep on this machine by its path or name."""
    places = [Path(sweep), ROOT / sweep, ROOT / "outputs/sweeps" / sweep] if sweep else []
    found = next((place.absolute() for place in places if place.is_dir()), None)
    if sweep and found is None and Path(sweep).name != sweep:
        raise ConfigError(f"sweep={sweep}: no such folder; type sweep=outputs/sweeps/NAME, or a sweep's name in W&B")
    return found


def _shown(cfg: DictConfig, sweep: Path | None) -> Shown:
    table = rows(sweep) if sweep else []
    monitor = cfg.monitor or next((str(row["monitor"]) for row in table if row["monitor"]), MONITOR)
    differ = list(table[0])[1 : list(table[0]).index("status")] if table else list(AXES)
    group = sweep.name if sweep else cfg.sweep
    return Shown(
        project=cfg.project,
        entity=cfg.entity or "",
        name=cfg.name or f"regen {group or ''}".strip(),
        monitor=monitor,
        higher=is_higher_better(monitor),
        axes=list(cfg.axes) if cfg.axes is not None else differ,
        group=group,
    )
