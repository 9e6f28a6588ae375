"""Default search spaces: the ranges of the chosen regularizers' classes."""

from omegaconf import OmegaConf

from regen.regularizers.gradients import R1
from regen.regularizers.outputs import L2
from regen.sweeps.search.default_spaces import default_spaces

R1_NODE = {"_target_": "regen.regularizers.gradients.R1", "lambda_d": 10.0}
L2_NODE = {"_target_": "regen.regularizers.outputs.L2", "lambda_g": 0.1, "lambda_d": 0.1}


def found(*typed: str, several: bool = False, **nodes: dict) -> dict[str, tuple[float, float]]:
    spaces = default_spaces(OmegaConf.create({"regularizer": nodes}), typed, several)
    assert all(space.log for space in spaces.values())
    return {key: (space.low, space.high) for key, space in spaces.items()}


def test_strength_is_searched_over_the_declared_range() -> None:
    assert found(r1=R1_NODE) == {"lambda_d": R1.search["lambda_d"]}
    assert found(l2=L2_NODE) == L2.search


def test_strengths_of_two_owners_have_full_keys() -> None:
    assert list(found(r1=R1_NODE, l2=L2_NODE)) == ["regularizer.r1.lambda_d", "lambda_g", "regularizer.l2.lambda_d"]
    assert list(found(r1=R1_NODE, several=True)) == ["regularizer.r1.lambda_d"]


def test_typed_values_are_not_searched() -> None:
    assert list(found("lambda_g", l2=L2_NODE)) == ["lambda_d"]
    assert found("regularizer.r1.lambda_d", r1=R1_NODE) == {}
    assert found(r1=R1_NODE | {"lambda_d": {"_target_": "regen.core.schedules.Linear"}}) == {}
