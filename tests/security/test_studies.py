"""A study that strangers share: a trial carries parameters of the space that is searched, and nothing that acts."""

import json

import optuna
import pytest
from helpers.optuna_trials import done, trials_in
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from regen.errors import ConfigError
from regen.sweeps.search import search_result
from regen.sweeps.search.search_spaces import Choice, Real, Whole

HOSTILE = ["--config-dir=/evil", "+hydra.callbacks.x._target_=os.system", "hydra.output_subdir=../.."]


def plant(trials, state=TrialState.RUNNING, **attributes):
    params, distributions = attributes.pop("params"), attributes.pop("distributions")
    values = {"values": [0.5]} if state == TrialState.COMPLETE else {}
    trials.study.add_trial(
        create_trial(state=state, params=params, distributions=distributions, user_attrs=attributes, **values)
    )


def test_overrides_in_a_trial_are_not_used(tmp_path):
    trials = trials_in(tmp_path / "sweep", wanted=1)
    job = {"home": None, "overrides": HOSTILE}
    plant(trials, params={"x": 0.25}, distributions={"x": FloatDistribution(0, 1)}, job=job)
    (claim,) = trials.claim(1)
    assert claim.overrides == ["x=0.25"]


@pytest.mark.parametrize(
    ("params", "distributions"),
    [
        ({"x": "--config-dir=/evil"}, {"x": CategoricalDistribution(["--config-dir=/evil"])}),
        ({"x": 2}, {"x": CategoricalDistribution([2, 3])}),
    ],
)
def test_a_trial_of_another_space_fails_and_is_not_trained(tmp_path, params, distributions, caplog):
    trials = trials_in(tmp_path / "sweep", wanted=1)
    plant(trials, params=params, distributions=distributions, job={"home": None, "overrides": HOSTILE})
    assert trials.claim(1) == [] and trials.study.trials[0].state == TrialState.FAIL
    assert "trial 0 is outside" in caplog.text


@pytest.mark.filterwarnings("ignore:Inconsistent parameter values:RuntimeWarning")
@pytest.mark.parametrize(
    ("space", "inside", "outside"),
    [
        (Choice(["a", "b"]), "a", "c"),
        (Real(0.1, 1.0), 0.5, 2.0),
        (Whole(1, 4), 2, 9),
    ],
)
def test_a_parameter_outside_the_space_is_refused(space, inside, outside):
    assert inside in space and outside not in space
    wide = FloatDistribution(-100, 100) if isinstance(space, Real) else optuna.distributions.IntDistribution(-100, 100)
    wide = CategoricalDistribution(["a", "b", "c"]) if isinstance(space, Choice) else wide
    study = optuna.create_study()
    study.add_trial(create_trial(state=TrialState.RUNNING, params={"x": outside}, distributions={"x": wide}))
    with pytest.raises((ConfigError, ValueError)):
        space.draw(optuna.Trial(study, study.trials[0]._trial_id), "x")


def test_the_best_trial_names_no_override_of_the_study_and_no_folder_elsewhere(tmp_path):
    trials = trials_in(tmp_path / "sweep", wanted=1)
    plant(
        trials,
        TrialState.COMPLETE,
        params={"x": 0.25},
        distributions={"x": FloatDistribution(0, 1)},
        job={"home": None, "overrides": HOSTILE},
        folder="../../elsewhere",
    )
    search_result.write(trials)
    text = (tmp_path / "sweep/best.json").read_text()
    answer = json.loads(text)
    assert answer["overrides"] == ["x=0.25"] and answer["folder"] == str(tmp_path / "sweep/trial_0")
    assert "evil" not in text and "hydra" not in text


def test_own_trials_are_searched_as_before(tmp_path):
    trials = trials_in(tmp_path / "sweep", wanted=2)
    for claim in trials.claim(2):
        done(trials, claim)
    search_result.write(trials)
    assert json.loads((tmp_path / "sweep/best.json").read_text())["overrides"][0].startswith("x=0.")
