"""Cross-validate strengths: plan the fits, run them or read them from a sweep, and return the result."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from regen.config import validate
from regen.config.instantiate import build
from regen.config.suggestions import yamls
from regen.cross_validation import parse
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.console import WritePages, report_choice, save
from regen.cross_validation.default_workers import default_n_jobs
from regen.cross_validation.evaluations import evaluation_interval
from regen.cross_validation.fits import Failed, FitRunner
from regen.cross_validation.from_runs import found
from regen.cross_validation.plan import FITS, Cost, Plan, make_plan, parse_duration
from regen.cross_validation.probe import measure_cost
from regen.cross_validation.progress import FitProgress, reporter
from regen.cross_validation.result import Choice, answer
from regen.cross_validation.runner import CandidateRunner, Rules
from regen.cross_validation.score_table import Round
from regen.cross_validation.sentences import describe_plan
from regen.cross_validation.sweep_name import OWN
from regen.errors import ConfigError
from regen.metrics.base import SampleMetric
from regen.metrics.features.base import Source
from regen.metrics.monitor import monitored
from regen.metrics.registry import is_higher_better
from regen.utils import signals
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json, write_json

OTHER_DECAY = 0.99  # of a second average: the default, 0.999, is long for a fit of some hundred iterations
MEASURED = 200  # iterations of a fit from which on its time is measured before the first one, also without a budget
DEFAULT_EVALUATIONS = 4  # of train.py, about


def choose(
    cfg: DictConfig,
    arguments: Sequence[str],
    context: HydraContext,
    task: TaskFunction,
    write_pages: WritePages,
) -> float:
    """Run what the command line asks for. Returns the mean held-out score of the recommended strength, nan if a fit failed.

    write_pages   makes path.png and choose.html of a choice

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


class CrossValidation:
    """The fits of one command: their plan, their races, and the choice so far."""

    def __init__(
        self,
        cfg: DictConfig,
        arguments: Sequence[str],
        context: HydraContext,
        task: TaskFunction,
        write_pages: WritePages,
    ) -> None:
        began, self.write_pages = time.monotonic(), write_pages
        presets = _presets(cfg, arguments)
        if presets:
            print(f"typed for you with data={cfg.hydra.runtime.choices.data}: {' '.join(presets)}")
        self.cfg, self.asked = cfg, parse.parsed([*presets, *arguments])
        self.n_jobs = cfg.n_jobs or default_n_jobs(self.asked.single)
        self.sweep, name = Path(cfg.hydra.sweep.dir), self.asked.single.pop("sweep").partition("=")[2]
        shared = [f"sweep={name}", *(one for one in cfg.for_fits if one.partition("=")[0] not in self.asked.single)]
        self.arguments = sorted([*presets, *arguments])
        self.fits = FitRunner(context, task, list(cfg.hydra.overrides.hydra), self.n_jobs, shared)
        self.candidates = _candidates(cfg, self.asked, self.fits)
        configs = [self.fits.composed(one.overrides(one.strengths[-1])) for one in self.candidates]
        for one in configs:
            validate.check(one)
        self.monitor, self.higher = _monitor(configs[0])
        self.deadline = None if cfg.budget is None else began + FITS * parse_duration(cfg.budget)
        self.fits.shared += _averages(configs[0])
        self.plan = self._plan(configs[0])
        self.runners: list[CandidateRunner] = []

    @property
    def level(self) -> float:
        """The level of each candidate's claim (Bonferroni)."""
        return self.cfg.alpha / len(self.candidates)

    @property
    def has_scores(self) -> bool:
        return any(one.raced.scores for one in self.runners)

    @property
    def choice(self) -> Choice:
        """The choice that the scores so far allow."""
        raced = [one.raced for one in self.runners]
        answers = [answer(one, self.monitor, self.higher, self.level) for one in raced if one.scores]
        lacking = [f"Cut for the budget: {'; '.join(self.plan.cuts)}"] if self.plan.cuts else []
        lacking += [f"{one.candidate.name}: no round is complete yet" for one in raced if not one.scores]
        return Choice(answers, self.monitor, self.higher, _out(self.cfg, self.sweep), _settings(self.cfg), lacking)

    def run(self) -> None:
        """Run the races, one candidate after the other. Raises Failed if a fit failed."""
        progress, folds = FitProgress(self.sweep), self.cfg.folds
        seeds = range(self.cfg.first_seed, self.cfg.first_seed + self.plan.rounds)
        rules = Rules(
            rounds=tuple(Round(seed, place if folds else 0) for place, seed in enumerate(seeds)),
            folds=folds,
            level=self.level,
            stop_early=self.cfg.stop_early,
            n_jobs=self.n_jobs,
            refine_rounds=self.cfg.refine_rounds,
            higher=self.higher,
            deadline=self.deadline,
            seconds=self.plan.seconds * self.n_jobs / self.plan.fits,
        )
        run = progress.watching(self.fits.run)
        progress.most = self.plan.fits
        report = reporter(progress, self.runners, self.n_jobs, lambda: save(self.choice, self.write_pages))
        self.runners += [CandidateRunner(one, rules, run, report) for one in self.candidates]
        for place, runner in enumerate(self.runners):
            runner.rules = replace(runner.rules, deadline=self._deadline(place))
            progress.text = f"{runner.candidate.name}, round 1 of at most {self.plan.rounds}"
            runner.run()

    def _deadline(self, place: int) -> float | None:
        """The time at which a candidate's race ends: its part of the time left, by the fits that are left."""
        if self.deadline is None:
            return None
        left = [one.most_fits_left for one in self.runners[place:]]
        now = time.monotonic()
        return now + (self.deadline - now) * left[0] / max(1, sum(left))

    def _plan(self, one: DictConfig) -> Plan:
        """Print and return the plan; with a budget, the candidates are reduced to it. one: the configuration of a fit."""
        iterations, stored = _iterations(one), self.sweep / "plan.json"
        evaluations = None if "evaluate_every" in self.asked.single else self.cfg.evaluations
        known = read_json(stored)
        if self.deadline is not None and known.get("arguments") == self.arguments:  # the command is repeated
            planned = Plan(**known["plan"] | {name: tuple(known["plan"][name]) for name in ("strengths", "cuts")})
        else:
            planned = self._make_plan(iterations, evaluations)
        self._reduce(planned, iterations)
        if planned.evaluations:
            reduced = cast(DictConfig, OmegaConf.merge(one, {"max_iterations": planned.iterations, "max_images": None}))
            self.fits.shared.append(f"evaluate_every={evaluation_interval(reduced, planned.evaluations)}")
        print(describe_plan(self.candidates, planned, self.n_jobs, self.cfg.budget), flush=True)
        if self.deadline is not None:
            self.sweep.mkdir(parents=True, exist_ok=True)
            write_json(stored, {"arguments": self.arguments, "plan": asdict(planned)})
        return planned

    def _make_plan(self, iterations: int, evaluations: int | None) -> Plan:
        cfg, whole = self.cfg, sum(one.whole for one in self.candidates)
        zeros = len(self.candidates) - whole + (whole > 0)
        asked = Plan(self._counts(self.candidates), None, cfg.rounds, iterations, 0, 0.0, zeros, evaluations)
        # Without a budget, the login node of a cluster trains nothing
        if self.deadline is None and (iterations < MEASURED or self.fits.is_remote):
            return make_plan(asked, Cost(0.0, 0.0, evaluations or 1), None, self.n_jobs, self.level, cfg.stop_early)
        jobs = [[*one.overrides(one.strengths[-1]), *self.fits.shared[1:]] for one in self.candidates]
        jobs = [jobs[place % len(jobs)] for place in range(-(-len(jobs) // self.n_jobs) * self.n_jobs)]
        evaluated = evaluations or DEFAULT_EVALUATIONS
        cost = measure_cost(jobs, self.n_jobs, evaluated, iterations, self.sweep / ".probe")
        if self.deadline is None:
            return make_plan(asked, cost, None, self.n_jobs, self.level, cfg.stop_early)
        tried = [] if cfg.n_strengths else [4, 3]
        fewer = [(n, self._counts(_candidates(cfg, self.asked, self.fits, n))) for n in tried]
        budget = FITS * parse_duration(cfg.budget)
        spent = budget - (self.deadline - time.monotonic())
        return make_plan(asked, cost, budget, self.n_jobs, self.level, cfg.stop_early, fewer, spent)

    def _reduce(self, planned: Plan, iterations: int) -> None:
        if planned.iterations < iterations:
            self.asked.single.pop("max_images", None)
            self.asked.single["max_iterations"] = f"max_iterations={planned.iterations}"
        if planned.n_strengths or planned.iterations < iterations:
            self.candidates = _candidates(self.cfg, self.asked, self.fits, planned.n_strengths)

    @staticmethod
    def _counts(candidates: Sequence[Candidate]) -> tuple[int, ...]:
        return tuple(len(one.strengths) - 1 for one in candidates)


def _averages(cfg: DictConfig) -> list[str]:
    """The further average of G that a fit evaluates, unless it is the fit's own or the user has chosen some."""
    own, chosen = cfg.model.get("ema_decay"), cfg.model.get("ema_decays")
    return [] if own is None or own == OTHER_DECAY or chosen else [f"model.ema_decays=[{OTHER_DECAY}]"]


def _iterations(cfg: DictConfig) -> int:
    """The iterations of a fit, of its images if those are given (one process and one D step an iteration)."""
    return cfg.max_iterations if cfg.max_images is None else math.ceil(cfg.max_images / cfg.data.batch_size)


def _from_runs(cfg: DictConfig, arguments: Sequence[str]) -> Choice:
    asked = parse.parsed(arguments)
    more = [one for key, one in asked.single.items() if key not in ("monitor", "sweep")]
    if more or asked.swept:
        named = ", ".join([*more, *asked.swept])
        raise ConfigError(f"runs={cfg.runs} analyses these runs and trains none: leave out {named}")
    known = found(cfg.runs, cfg.monitor if "monitor" in asked.single else None)
    answers = [answer(one, known.monitor, known.higher, cfg.alpha / len(known.raced)) for one in known.raced]
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


def _candidates(
    cfg: DictConfig, asked: parse.Asked, fits: FitRunner, n_strengths: int | None = None
) -> list[Candidate]:
    default = "none"
    if "regularizer" not in {**asked.single, **asked.swept}:
        shared = [
            one for key, one in asked.single.items() if "regularizer." not in key and not key.startswith("lambda_")
        ]
        names = list(fits.composed(shared).regularizer)
        default = names[0] if len(names) == 1 else f"[{','.join(names)}]"
    return parse.candidates(asked, parse.options(yamls("regularizer")), default, cfg, n_strengths)


def _monitor(cfg: DictConfig) -> tuple[str, bool]:
    """The figure that the fits will be judged by, and whether more of it is better."""
    metrics = [build(node, f"metrics.{name}", SampleMetric) for name, node in cfg.metrics.items() if name != "features"]
    with contextlib.suppress(ConfigError):  # a figure that only the data measure
        monitor = monitored(cfg.monitor, metrics, Source())
        return monitor, is_higher_better(monitor)
    return cfg.monitor, is_higher_better(cfg.monitor)


def _out(cfg: DictConfig, otherwise: Path) -> Path:
    return Path(cfg.out) if cfg.out else otherwise


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """The choice's own keys."""
    return {key: to_dict(cfg)[key] for key in OWN if key != "for_data"}
