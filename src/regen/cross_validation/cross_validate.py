"""choose: strengths are trained or found, weighed, and what they say is printed and saved."""

import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from regen import config
from regen.build import build
from regen.comparing.group import is_higher
from regen.cross_validation import parse
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.console import tell
from regen.cross_validation.fits import Failed, Units
from regen.cross_validation.from_runs import found
from regen.cross_validation.result import Choice, answer
from regen.cross_validation.runner import Rules, raced
from regen.cross_validation.sweep_name import OWN
from regen.errors import ConfigError
from regen.metrics.evaluator import is_higher_better, monitored
from regen.metrics.features.source import Source
from regen.metrics.metric import SampleMetric
from regen.misspelt import yamls
from regen.sweeps.watch import Watch


def choose(cfg: DictConfig, arguments: Sequence[str], context: HydraContext, task: TaskFunction) -> float:
    """Do what the command line asks; the best mean held-out score, nan if a unit failed or all diverged.

    Raises ConfigError on what cannot be run, and where runs say nothing of strengths.
    """
    HydraConfig.instance().set_config(cfg)  # what stands in the folder of --config-dir is admitted by it
    config.check_choose(cfg)
    Watch.quiet = True  # the path is the table
    if cfg["from"]:
        Watch.folder = None  # nothing is swept
        return tell(_from_runs(cfg, arguments))
    try:
        return tell(_trained(cfg, arguments, context, task))
    except Failed as failed:  # the sweep ends with exit status 1
        again = "Mend what they say and type the same command again: what is done is kept."
        print(f"error: units failed, and the choice stops:{failed}\n{again}", file=sys.stderr)
        return math.nan


def _trained(cfg: DictConfig, arguments: Sequence[str], context: HydraContext, task: TaskFunction) -> Choice:
    for_you = _presets(cfg, arguments)
    if for_you:
        print(f"typed for you with data={cfg.hydra.runtime.choices.data}: {' '.join(for_you)}")
    asked = parse.parsed([*for_you, *arguments])
    name = asked.single.pop("sweep").partition("=")[2]
    beside = [f"sweep={name}", *(one for one in cfg.for_units if one.partition("=")[0] not in asked.single)]
    units = Units(context, task, list(cfg.hydra.overrides.hydra), cfg.n_jobs, beside)
    candidates = _candidates(cfg, asked, units)
    strongest = [units.composed(one.overrides(one.strengths[-1])) for one in candidates]
    for one in strongest:
        config.check(one)
    higher = _is_higher(strongest[0])
    rules = Rules(_folds(cfg), _seeds(cfg), cfg.prune, cfg.n_jobs, cfg.refine, higher)
    answers = [answer(raced(one, rules, units.run), higher, cfg.level / len(candidates)) for one in candidates]
    return Choice(answers, strongest[0].monitor, higher, _out(cfg, Path(cfg.hydra.sweep.dir)), _settings(cfg), [])


def _from_runs(cfg: DictConfig, arguments: Sequence[str]) -> Choice:
    asked = parse.parsed(arguments)
    more = [one for key, one in asked.single.items() if key not in ("monitor", "sweep")]
    if more or asked.swept:
        named = ", ".join([*more, *asked.swept])
        raise ConfigError(f"from={cfg['from']} analyses the runs there and trains none: leave out {named}")
    known = found(cfg["from"], cfg.monitor if "monitor" in asked.single else None)
    answers = [answer(one, known.higher, cfg.level / len(known.raced)) for one in known.raced]
    folders = {one.folder.parent for raced in known.raced for one in raced.trained.values()}
    out = _out(cfg, Path(os.path.commonpath(folders)))
    return Choice(answers, known.monitor, known.higher, out, _settings(cfg), known.lacking)


def _presets(cfg: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Set the choice's own keys that a data set has its own values for; the overrides of train.py that it has."""
    own = {one.partition("=")[0] for one in arguments}
    presets = cfg.for_data.get(cfg.hydra.runtime.choices.data) or {}
    for key, value in presets.items():
        if key != "typed" and key not in own:
            cfg[key] = value
    return [one for one in presets.get("typed", []) if one.partition("=")[0] not in own]


def _candidates(cfg: DictConfig, asked: parse.Asked, units: Units) -> list[Candidate]:
    default = "none"
    if "regularizer" not in {**asked.single, **asked.swept}:
        shared = [
            one for key, one in asked.single.items() if "regularizer." not in key and not key.startswith("lambda_")
        ]
        names = list(units.composed(shared).regularizer)
        default = names[0] if len(names) == 1 else f"[{','.join(names)}]"
    return parse.candidates(asked, parse.options(yamls("regularizer")), default, cfg)


def _is_higher(cfg: DictConfig) -> bool:
    """Whether more of the monitored figure is better, by the metrics that are chosen and by what is known of figures."""
    metrics = [build(node, f"metrics.{name}", SampleMetric) for name, node in cfg.metrics.items() if name != "features"]
    with contextlib.suppress(ConfigError):  # a figure that only the data measure
        return is_higher_better(monitored(cfg.monitor, metrics, Source()), metrics)
    return is_higher(cfg.monitor)


def _folds(cfg: DictConfig) -> tuple[int | None, ...]:
    return tuple(range(cfg.folds)) if cfg.folds else (None,)


def _seeds(cfg: DictConfig) -> tuple[int, ...]:
    return tuple(range(cfg.seeds)) if isinstance(cfg.seeds, int) else tuple(cfg.seeds)


def _out(cfg: DictConfig, otherwise: Path) -> Path:
    return Path(cfg.out) if cfg.out else otherwise


def _settings(cfg: DictConfig) -> dict:
    """The choice's own keys."""
    return {key: OmegaConf.to_container(cfg)[key] for key in OWN if key != "for_data"}
