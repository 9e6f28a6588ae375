"""Choose a strength: run the cross-validation that a command line asks for, or read it from existing runs."""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from regen.config import validate
from regen.cross_validation import parse
from regen.cross_validation.answer import answer
from regen.cross_validation.console import WritePages, report_choice
from regen.cross_validation.cross_validation_run import CrossValidation
from regen.cross_validation.fit_settings import folder_of, own_settings
from regen.cross_validation.fits import Failed
from regen.cross_validation.from_runs import found
from regen.cross_validation.result import Choice
from regen.errors import ConfigError
from regen.utils import signals


def choose(
    cfg: DictConfig,
    arguments: Sequence[str],
    context: HydraContext,
    task: TaskFunction,
    write_pages: WritePages,
) -> float:
    """Run what the command line asks for. Returns the mean held-out score of the recommended strength, nan if a fit failed.

    write_pages   makes path.png and report.html of a choice

    Raises ConfigError on what cannot be run, and where the runs of `runs=` cannot be compared.
    """
    HydraConfig.instance().set_config(cfg)  # the folder of --config-dir is admitted by it
    validate.check_choose(cfg)
    if cfg.runs:
        return report_choice(_from_runs(cfg, arguments), write_pages)
    validation = None
    try:
        validation = CrossValidation(cfg, arguments, context, task, write_pages)
        validation.run()
    except Failed as failed:  # the sweep ends with exit status 1
        if validation is None:  # no job has failed yet
            raise ConfigError(str(failed).strip()) from failed
        again = "Fix what they say and type the same command again: finished fits are kept."
        print(f"error: fits failed, and the choice stops:{failed}\n{again}", file=sys.stderr)
        return math.nan
    except (KeyboardInterrupt, signals.Interrupted, SystemExit):  # a fit that was interrupted exits
        if validation and validation.has_scores:
            print("\nInterrupted. The answer so far (the same command continues):")
            report_choice(validation.choice, write_pages)
        raise
    if not validation.has_scores:
        print(f"error: budget={cfg.budget} ended before a round was complete: type a longer one", file=sys.stderr)
        return math.nan
    return report_choice(validation.choice, write_pages)


def _from_runs(cfg: DictConfig, arguments: Sequence[str]) -> Choice:
    asked = parse.parsed(arguments)
    more = [one for key, one in asked.single.items() if key not in ("monitor", "sweep")]
    if more or asked.swept:
        named = ", ".join([*more, *asked.swept])
        raise ConfigError(f"runs={cfg.runs} analyses these runs and trains none: leave out {named}")
    known = found(cfg.runs, cfg.monitor if "monitor" in asked.single else None)
    answers = [answer(one, known.monitor, known.higher, cfg.alpha / len(known.raced)) for one in known.raced]
    folders = {one.folder.parent for raced in known.raced for one in raced.trained.values()}
    out = folder_of(cfg, Path(os.path.commonpath(folders)))
    return Choice(answers, known.monitor, known.higher, out, own_settings(cfg), known.lacking)
