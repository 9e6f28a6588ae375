"""Every sampler and pruner that is shipped does its work on a figure that is best at x = 0.3."""

import subprocess
import sys

import pytest
from helpers.optuna_trials import done, study_in
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from optuna import Trial
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from regen.config.instantiate import build
from regen.config.resolvers import register_resolvers
from regen.sweeps.search.search_spaces import Choice, Real, points
from regen.sweeps.search.study import is_higher_better_in
from regen.sweeps.search.trials import Trials
from regen.utils.project import ROOT

SWEEPER = ROOT / "conf/hydra/sweeper"
AXES = {"x": Real(0, 1), "y": Choice(["a", "b"])}
SAMPLERS, PRUNERS = (sorted(path.stem for path in (SWEEPER / kind).glob("*.yaml")) for kind in ("sampler", "pruner"))


def composed(*overrides: str):
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        overrides = ["hydra/sweeper=optuna", *overrides]
        return compose("train", list(overrides), return_hydra_config=True).hydra.sweeper


def searched(tmp_path, wanted: int, *overrides: str) -> Trials:
    node = OmegaConf.create(OmegaConf.to_container(composed(*overrides).sampler))

    def sampler(number: int) -> BaseSampler:
        made = {"seed": number, "sequence_seed": 7, "axes": lambda most: points(AXES, most)}
        return build(node, "hydra.sweeper.sampler", BaseSampler, **made)

    def draw(trial: Trial) -> list[str]:
        return [f"{key}={space.draw(trial, key)}" for key, space in AXES.items()]

    return Trials(study_in(tmp_path / "mine"), tmp_path / "mine", wanted, draw, sampler)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_within_the_space_and_no_trial_twice(tmp_path, name: str) -> None:
    trials = searched(tmp_path, 12, f"hydra/sweeper/sampler={name}")
    while claims := trials.claim(2):
        for claim in claims:
            done(trials, claim, value=(claim.trial.params["x"] - 0.3) ** 2 + (claim.trial.params["y"] == "a"))
    drawn = [trial.params for trial in trials.study.trials]
    assert len(drawn) == 12 and {params["y"] for params in drawn} == {"a", "b"}
    assert len({str(params) for params in drawn}) == 12 and all(0 <= params["x"] <= 1 for params in drawn)


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_sampler_that_learns_comes_near_the_best(tmp_path, name: str) -> None:
    trials = searched(tmp_path, 30, f"hydra/sweeper/sampler={name}")
    while claims := trials.claim(1):
        done(trials, claims[0], value=abs(claims[0].trial.params["x"] - 0.3) + (claims[0].trial.params["y"] == "a"))
    late = [trial.params for trial in trials.study.trials[20:]]
    assert sum(params["y"] == "b" for params in late) > 6
    assert sum(abs(params["x"] - 0.3) for params in late) / 10 < 0.2  # 0.29 of random draws


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_stops_bad_trials_but_none(tmp_path, name: str) -> None:
    trials = searched(tmp_path, 40, "hydra/sweeper/sampler=random", f"hydra/sweeper/pruner={name}")
    trials.study.pruner = build(composed(f"hydra/sweeper/pruner={name}").pruner, "hydra.sweeper.pruner", BasePruner)
    stopped, kept = [], []
    while claims := trials.claim(1):
        for claim in claims:
            far, pruned = abs(claim.trial.params["x"] - 0.3), False
            for step in range(1, 10):
                claim.trial.report(far + 1 / step, step)
                pruned = pruned or claim.trial.should_prune()
                if pruned:
                    break
            (stopped if pruned else kept).append(far)
            done(trials, claim, "pruned" if pruned else "finished", far)
    assert len(stopped) + len(kept) == 40 and bool(stopped) == (name != "none")
    assert not stopped or sum(stopped) / len(stopped) > sum(kept) / len(kept)


@pytest.mark.parametrize(
    ("typed", "higher"),
    [((), True), (("monitor=val/skill",), True), (("monitor=val/fd",), False), (("data=ring",), False)],
    ids=["default of images", "skill", "distance", "default of points"],
)
def test_a_study_has_the_direction_of_the_monitored_figure(typed, higher: bool) -> None:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert is_higher_better_in(compose("train", list(typed))) is higher


def test_a_start_imports_neither_optuna_nor_torch() -> None:
    program = (
        "import sys; sys.argv = ['train.py', '--cfg', 'job']; from regen.cli import train\n"
        "from regen.cli import entry_point; entry_point.run(train.main)\n"
        "print('loaded', *{'optuna', 'torch'} & set(sys.modules), 'hydra_plugins.regen_optuna.sweeper' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded True"


def test_search_trains_as_many_jobs_at_once_as_the_launcher() -> None:
    assert composed().n_jobs == 1
    assert composed("hydra/launcher=joblib", "hydra.launcher.n_jobs=3").n_jobs == 3
    assert composed("hydra/launcher=slurm", "hydra.sweeper.n_jobs=8").n_jobs == 8
