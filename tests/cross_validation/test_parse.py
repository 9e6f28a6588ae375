"""What the command line asks: candidates, their axes, and the overrides of each fit."""

import pytest
from omegaconf import OmegaConf

from regen.config.yaml_files import read_options
from regen.cross_validation import parse
from regen.cross_validation.sweep_name import with_name
from regen.errors import ConfigError

NODES = read_options("regularizer")


def asked(*overrides: str, default: str = "none", **own: object):
    cfg = OmegaConf.create({"n_strengths": None, "search": None, **own})
    return parse.candidates(parse.parsed(overrides), NODES, default, cfg)


def test_strengths_typed_at_the_parameter_are_the_axis_and_0_is_added():
    (one,) = asked("regularizer=r1", "lambda_d=0.1,1", "data=digits")
    assert one.strengths == [(0,), (0.1,), (1,)]
    assert one.overrides((0.1,)) == ["data=digits", "regularizer=r1", "lambda_d=0.1"]


def test_at_0_a_regularizer_that_has_nothing_else_is_left_out():
    (one,) = asked("regularizer=r1", "lambda_d=0,1", "regularizer.r1.interval=4", "iterations_per_call=3")
    assert one.overrides((0.0,)) == ["iterations_per_call=3", "regularizer=none"]


def test_a_strength_that_is_held_fixed_stays_at_0_of_the_other():
    (one,) = asked("regularizer=l2", "lambda_g=0,1")  # lambda_d is 0.1 all the while
    assert one.overrides((0.0,)) == ["regularizer=l2", "lambda_g=0"]
    (one,) = asked("regularizer=l2", "lambda_g=0,1", "lambda_d=0")
    assert one.overrides((0.0,)) == ["regularizer=none"]


def test_without_strengths_the_default_range_is_searched():
    (one,) = asked("regularizer=r1")
    assert one.strengths == [(0.0,), (0.1,), (0.4,), (1.6,), (6.3,), (25.0,), (100.0,)]
    (one,) = asked("regularizer=r1", search={"lambda_d": [1e-4, 1]}, n_strengths=3)
    assert one.strengths == [(0.0,), (1e-4,), (0.01,), (1.0,)]


def test_both_strengths_of_two_players_are_searched_unless_typed():
    (one,) = asked("regularizer=l2")
    assert [axis.key for axis in one.axes] == ["lambda_g", "lambda_d"]
    assert len(one.strengths) == 16
    (one,) = asked("regularizer=l2", "lambda_d=0")
    assert [axis.key for axis in one.axes] == ["lambda_g"]
    assert one.whole
    (one,) = asked("regularizer=weight_l2")  # its yaml has lambda_g: 0
    assert [axis.key for axis in one.axes] == ["lambda_d"]


@pytest.mark.parametrize("name", ["diffaugment", "spectral_norm", "[l2,r1]"])
def test_regularizer_without_a_single_strength_is_on_or_off(name):
    (one,) = asked(f"regularizer={name}")
    assert one.strengths == [(0.0,), (1.0,)]
    assert one.overrides((0.0,)) == ["regularizer=none"]
    assert one.overrides((1.0,)) == [f"regularizer={name}"]
    assert (one.shown((0.0,)), one.shown((1.0,))) == ("off", "on")


@pytest.mark.parametrize("key", ["regularizer.weight_clipping.limit", "regularizer.instance_noise.std"])
def test_a_setting_of_another_name_is_an_axis_too(key):
    (one,) = asked(f"regularizer={key.split('.')[1]}", f"{key}=0.01,0.1")
    assert one.overrides((0.01,))[-1] == f"{key}=0.01"
    assert one.overrides((0.0,)) == ["regularizer=none"]
    assert one.grows is ("std" in key)


def test_strength_within_a_list_is_typed_by_the_full_key():
    (one,) = asked("regularizer=[l2,r1]", "regularizer.r1.lambda_d=0,1,10", "regularizer.l2.lambda_g=0.5")
    assert one.overrides((0.0,)) == ["regularizer.l2.lambda_g=0.5", "regularizer=[l2,r1]", "regularizer.r1.lambda_d=0"]


def test_each_of_several_regularizers_has_separate_strengths():
    r1, l2, augment = asked(
        "regularizer=r1,l2,diffaugment", "lambda_g=0,1", "regularizer.r1.interval=2", "lambda_d=0,3"
    )
    assert [axis.key for axis in r1.axes] == ["lambda_d"]
    assert [axis.key for axis in l2.axes] == ["lambda_g", "lambda_d"]
    assert augment.axes[0].key == ""
    assert "regularizer.r1.interval=2" not in l2.overrides((1.0, 1.0))


def test_the_regularizer_of_an_experiment_is_taken_where_none_is_typed():
    (one,) = asked("experiment=grid", default="r1")
    assert one.name == "r1"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((), "which regularizer? Type regularizer=r1"),
        (("regularizer=none",), "which regularizer? Type regularizer=r1"),
        (("regularizer=r11",), "unknown option regularizer=r11"),
        (("regularizer=r1", "lambda_g=0,1"), "lambda_g=0,1: no chosen regularizer has it"),
        (("regularizer=r1", "network=mlp,dcgan"), "network=mlp,dcgan: one choice at a time"),
        (("regularizer=r1", "lambda_d=-1,1"), "strengths must be finite numbers >= 0"),
        (("regularizer=r1", "lambda_d=0,0.0"), "expected a strength other than 0"),
        (("regularizer=r1", "lambda_d=interval(0,1)"), r"type .* lambda_d=0,0.1,1"),
        (("regularizer=r1", "seed=0,1"), "type first_seed="),
        (("regularizer=r1", "data.fold=2"), "type folds="),
        (
            ("regularizer=[weight_clipping,r1]", "regularizer.weight_clipping.limit=0,0.1"),
            "limit=0 does not turn it off",
        ),
    ],
    ids=str,
)
def test_impossible_choices_are_refused_with_the_reason(overrides, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?").replace("(", r"\(").replace(")", r"\)")):
        asked(*overrides)


def test_sweep_is_named_by_overrides_that_change_fits():
    def name(*overrides: str) -> str:
        return with_name(overrides)[-1]

    assert name("regularizer=r1", "data=digits") == "sweep=choose_r1_digits"
    assert (
        name("regularizer=r1", "lambda_d=0,1", "max_iterations=9", "n_jobs=4", "budget=1h", "rounds=9", "alpha=0.1")
        == "sweep=choose_r1_digits"
    )
    assert (
        name("regularizer=[l2,r1],r1", "data=grid", "data.subset=200") == "sweep=choose_l2-r1_r1_grid_data.subset-200"
    )
    assert name("regularizer=kl", "experiment=vae_mnist") == "sweep=choose_kl_experiment-vae_mnist"
    assert with_name(["regularizer=r1", "sweep=mine"]) == ["regularizer=r1", "sweep=mine"]
