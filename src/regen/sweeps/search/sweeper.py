"""Hydra sweeper `optuna`: draws, trains and reports trials until the study has enough of them."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf
from optuna import Trial
from optuna.samplers import BaseSampler

from regen.config.instantiate import build
from regen.config.keys import NO_FIGURE, is_among
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.sweeps.job_config import output_folder
from regen.sweeps.search import search_result
from regen.sweeps.search import search_spaces as spaces
from regen.sweeps.search.default_spaces import default_spaces
from regen.sweeps.search.study import build_pruner, check_spaces, home, is_higher_better_in, open_study
from regen.sweeps.search.trials import Claim, Trials
from regen.sweeps.sweep_names import identify_data
from regen.utils.randomness import key

if TYPE_CHECKING:
    from hydra_plugins.regen_optuna.sweeper import Search

WAIT = 1.0  # seconds between checks while other commands train the last trials
log = logging.getLogger(__name__)


class Question:
    """Definition of a search: constant overrides, and typed or default spaces."""

    def __init__(self, sweeper: Search, arguments: Sequence[str]) -> None:
        """Raise ConfigError without a search space."""
        self.sweeper = sweeper
        typed = [f"{name}={space}" for name, space in sweeper.params.items()]
        parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
        self.fixed, self.spaces = spaces.read(parser.parse_overrides([*typed, *arguments]))
        self.uses_defaults = set(self.spaces) <= {"regularizer"}
        self.several = "regularizer" in self.spaces
        first = [f"{name}={space.points(2)[0]}" for name, space in self.spaces.items()]
        self.config = cfg = self._composed(first)  # reports a wrong name or type before the study is created
        is_single = self.uses_defaults and not self.several
        self.defaults: dict[str, spaces.Space] = {**default_spaces(cfg, self.fixed)} if is_single else {}
        if not self.spaces and not self.defaults:
            chosen = ",".join(cfg.regularizer) or "none"
            raise ConfigError(
                f"nothing to search: regularizer={chosen} has no strength with a known range. "
                "Type a space, like 'lambda_d=tag(log,interval(0.1,100))'"
            )

    def draw(self, trial: Trial) -> list[str]:
        """Draw the overrides of a trial's job. Raises ConfigError if its parameters are outside the spaces."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Inconsistent parameter values", RuntimeWarning)  # about another interval
            return self._drawn(trial)

    def _drawn(self, trial: Trial) -> list[str]:
        spaces = {**self.spaces, **self.defaults}
        drawn = [f"{name}={space.draw(trial, name)}" for name, space in spaces.items()]
        if self.uses_defaults and self.several:
            own = default_spaces(self._composed(drawn), {**self.fixed, **self.spaces}, several=True)
            drawn += [f"{name}={space.draw(trial, name)}" for name, space in own.items()]
            spaces |= own
        if others := trial.params.keys() - spaces.keys():
            raise ConfigError(f"{min(others)} is not searched here")
        return [*self.fixed.values(), *drawn]

    def sampler(self, number: int) -> BaseSampler:
        """Create the sampler of a trial, keyed by its number, so that processes and restarts draw no trial twice."""
        seed = self.sweeper.seed
        seeds = {"seed": key(seed, number) >> 32, "sequence_seed": key(seed) >> 32}
        node = OmegaConf.create(self.sweeper.sampler)
        axes = {**self.spaces, **self.defaults}
        arguments = {"axes": lambda n: spaces.points(axes, n), **seeds}
        return build(node, "hydra.sweeper.sampler", BaseSampler, **arguments)  # type: ignore[type-abstract]  # of which it checks instances

    def say(self, trials: Trials) -> None:
        """Log the search spaces."""
        for name, space in {**self.spaces, **self.defaults}.items():
            by = ", the default range of its regularizer" if name in self.defaults else ""
            log.info("searching %s: %s%s", name, space, by)
        if self.uses_defaults and self.several:
            log.info("searching the strengths of each regularizer over their default ranges")
        done = len(trials.counted())
        log.info("%d trials requested, %d exist", trials.wanted, done)

    def _composed(self, drawn: list[str]) -> DictConfig:
        overrides = [*self.fixed.values(), *drawn]
        return self.sweeper.hydra_context.config_loader.load_sweep_config(self.sweeper.config, overrides)


def search(sweeper: Search, arguments: Sequence[str]) -> list[JobReturn]:
    """Run the search and return all jobs' results. Repeated or parallel commands run missing trials; best.json is the result.

    Raises ConfigError on an invalid search.
    """
    _check_counts(sweeper)
    folder = Path(sweeper.config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    trials = _open_trials(sweeper, Question(sweeper, arguments), folder)
    at_once = sweeper.n_jobs if sweeper.n_jobs > 0 else os.cpu_count() or 1
    returned: list[JobReturn] = []
    while True:
        if claims := trials.claim(at_once):
            returned += _train(sweeper, trials, claims, len(returned))
            search_result.write(trials)
        elif trials.others_train():
            time.sleep(WAIT)
        else:
            search_result.write(trials)
            return returned


def _open_trials(sweeper: Search, question: Question, folder: Path) -> Trials:
    """Open the study of a search, check its spaces, and let failed trials be repeated."""
    fixed = [typed for name, typed in question.fixed.items() if not is_among(name, NO_FIGURE)]
    fixed = identify_data(fixed, question.config)
    study = open_study(folder, sweeper.storage, fixed, lambda: is_higher_better_in(sweeper.config))
    check_spaces(study, {**question.spaces, **question.defaults})
    study.pruner = build_pruner(OmegaConf.create(sweeper.pruner))
    among = home(folder) if sweeper.storage else None
    trials = Trials(study, folder, sweeper.n_trials, question.draw, question.sampler, among)
    trials.try_failed_again()
    question.say(trials)
    return trials


def _check_counts(sweeper: Search) -> None:
    for name in ("n_trials", "n_jobs"):
        if not isinstance(value := getattr(sweeper, name), int) or value == 0:
            raise ConfigError(f"hydra.sweeper.{name} must be a whole number of trials, got {value}")


def _train(sweeper: Search, trials: Trials, claims: list[Claim], first: int) -> list[JobReturn]:
    """Launch the jobs of claimed trials and report their results to the study."""
    jobs = [[*claim.overrides, f"hydra.sweeper.trial={claim.trial.number}"] for claim in claims]
    try:
        done = list(sweeper.launcher.launch(jobs, initial_job_idx=first))
        for claim, job in zip(claims, done, strict=True):
            _ = job.return_value  # raises errors from before the job began
            trials.report(claim, Folder(output_folder(job)))
    finally:
        for claim in claims:
            claim.lock.release()
    return done
