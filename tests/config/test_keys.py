"""The vocabulary of keys: each key is in one group and in the configuration, and a strength has an owner."""

from collections import Counter

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from regen.config import keys
from regen.config.resolvers import register_resolvers
from regen.utils.project import ROOT

GROUPS = (
    *(keys.STRENGTHS, keys.LENGTHS, keys.REPEATS, keys.LABELS, keys.OUTPUTS, keys.EXECUTION),
    *(keys.AVERAGES, keys.HARDWARE, keys.PROCESSES, keys.EVALUATION, keys.DATA_PLACE),
)


def test_each_key_is_in_a_single_group() -> None:
    counts = Counter(key for group in GROUPS for key in group)
    assert [key for key, count in counts.items() if count > 1] == []


def test_each_key_is_in_configuration_of_train() -> None:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["data=folder"])
    missing = object()
    uses = {*keys.SAME_JOB, *keys.MAY_CHANGE_ON_RESUME, *keys.NOT_COMPARED, *keys.JOBS_ONLY}
    unknown = [key for key in uses if OmegaConf.select(cfg, key, default=missing) is missing]
    assert sorted(unknown) == []


def test_further_averages_change_no_figure_and_may_not_change_on_resume() -> None:
    assert set(keys.AVERAGES) <= set(keys.NO_FIGURE)
    assert not set(keys.AVERAGES) & set(keys.MAY_CHANGE_ON_RESUME)


def test_place_of_data_does_not_count_as_changing_no_figure() -> None:
    assert not set(keys.DATA_PLACE) & set(keys.NO_FIGURE)


@pytest.mark.parametrize(
    ("key", "expected"), [("logger", True), ("logger.project", True), ("loggers", False), ("data.logger", False)]
)
def test_key_is_among_keys_with_keys_below(key: str, expected: bool) -> None:
    assert keys.is_among(key, ("seed", "logger")) is expected


@pytest.mark.parametrize(
    ("override", "key"), [("a.b=1", "a.b"), ("++a.b=1=2", "a.b"), ("~a", "a"), ("+s@a.b=c", "s@a.b")]
)
def test_key_of_override_has_no_prefix(override: str, key: str) -> None:
    assert keys.override_key(override) == key


def test_owners_are_regularizers_with_strength() -> None:
    cfg = OmegaConf.create({"regularizer": {"l2": {"lambda_g": 0.1, "lambda_d": 1}, "r1": {"lambda_d": 1}, "x": None}})
    assert keys.owners(cfg, "lambda_g") == ["l2"]
    assert keys.owners(OmegaConf.to_container(cfg), "lambda_d") == ["l2", "r1"]
