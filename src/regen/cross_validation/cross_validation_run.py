"""The fits of one cross-validation: their plan, their races, and the choice so far."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from regen.config import validate
from regen.cross_validation import parse
from regen.cross_validation.answer import answer
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.console import WritePages, save
from regen.cross_validation.default_workers import default_n_jobs
from regen.cross_validation.evaluations import evaluation_interval
from regen.cross_validation.fit_settings import (
    apply_presets,
    candidates_of,
    folder_of,
    further_averages,
    iterations_of,
    monitored_figure,
    own_settings,
)
from regen.cross_validation.fits import FitRunner
from regen.cross_validation.plan import FITS, Cost, Plan, make_plan, parse_duration
from regen.cross_validation.probe import measure_cost
from regen.cross_validation.progress import FitProgress, reporter
from regen.cross_validation.result import Choice
from regen.cross_validation.runner import CandidateRunner, Rules
from regen.cross_validation.score_table import Round
from regen.cross_validation.sentences import describe_plan
from regen.utils.json_files import read_json, write_json

MEASURED = 200  # iterations of a fit from which on its time is measured before the first one, also without a budget
DEFAULT_EVALUATIONS = 4  # of train.py, about


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
        presets = apply_presets(cfg, arguments)
        if presets:
            print(f"typed for you with data={cfg.hydra.runtime.choices.data}: {' '.join(presets)}")
        self.cfg, self.asked = cfg, parse.parsed([*presets, *arguments])
        self.n_jobs = cfg.n_jobs or default_n_jobs(self.asked.single)
        self.sweep, name = Path(cfg.hydra.sweep.dir), self.asked.single.pop("sweep").partition("=")[2]
        shared = [f"sweep={name}", *(one for one in cfg.for_fits if one.partition("=")[0] not in self.asked.single)]
        self.arguments = sorted([*presets, *arguments])
        self.fits = FitRunner(context, task, list(cfg.hydra.overrides.hydra), self.n_jobs, shared)
        self.candidates = candidates_of(cfg, self.asked, self.fits)
        configs = [self.fits.composed(one.overrides(one.strengths[-1])) for one in self.candidates]
        for one in configs:
            validate.check(one)
        self.monitor, self.higher = monitored_figure(configs[0])
        self.deadline = None if cfg.budget is None else began + FITS * parse_duration(cfg.budget)
        self.fits.shared += further_averages(configs[0])
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
        return Choice(
            answers, self.monitor, self.higher, folder_of(self.cfg, self.sweep), own_settings(self.cfg), lacking
        )

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
        iterations, stored = iterations_of(one), self.sweep / "plan.json"
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
        # Without a budget, no jobs of a cluster are spent on measuring time
        if self.deadline is None and (iterations < MEASURED or self.fits.is_remote):
            return make_plan(asked, Cost(0.0, 0.0, evaluations or 1), None, self.n_jobs, self.level, cfg.stop_early)
        jobs = [one.overrides(one.strengths[-1]) for one in self.candidates]
        jobs = [jobs[place % len(jobs)] for place in range(-(-len(jobs) // self.n_jobs) * self.n_jobs)]
        evaluated = evaluations or DEFAULT_EVALUATIONS
        cost = measure_cost(self.fits, jobs, self.n_jobs, evaluated, iterations, self.sweep / ".probe")
        if self.deadline is None:
            return make_plan(asked, cost, None, self.n_jobs, self.level, cfg.stop_early)
        tried = [] if cfg.n_strengths else [4, 3]
        fewer = [(n, self._counts(candidates_of(cfg, self.asked, self.fits, n))) for n in tried]
        budget = FITS * parse_duration(cfg.budget)
        spent = budget - (self.deadline - time.monotonic())
        return make_plan(asked, cost, budget, self.n_jobs, self.level, cfg.stop_early, fewer, spent)

    def _reduce(self, planned: Plan, iterations: int) -> None:
        if planned.iterations < iterations:
            self.asked.single.pop("max_images", None)
            self.asked.single["max_iterations"] = f"max_iterations={planned.iterations}"
        if planned.n_strengths or planned.iterations < iterations:
            self.candidates = candidates_of(self.cfg, self.asked, self.fits, planned.n_strengths)

    @staticmethod
    def _counts(candidates: Sequence[Candidate]) -> tuple[int, ...]:
        return tuple(len(one.strengths) - 1 for one in candidates)
