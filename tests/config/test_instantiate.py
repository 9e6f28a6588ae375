"""Arguments of classes are checked against their annotations, also in modules whose annotations are text."""

import pytest
from omegaconf import OmegaConf

from regen.config.instantiate import build
from regen.core.regularizer import Regularizer
from regen.downstream.task import Task
from regen.errors import ConfigError
from regen.metrics.base import SampleMetric


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("task.augment", {"_target_": "regen.downstream.generated_images.Augment", "generated": "many"}, "an integer"),
        ("task.cas", {"_target_": "regen.downstream.generated_images.CAS", "lr": "fast"}, "a number"),
        ("metrics.nll", {"_target_": "regen.metrics.nll.NLL", "samples": 1.5}, "an integer"),
    ],
)
def test_value_of_wrong_type_is_refused_despite_postponed_annotations(key, values, words) -> None:
    kind = Task if key.startswith("task") else SampleMetric
    (name,) = values.keys() - {"_target_"}
    with pytest.raises(ConfigError, match=rf"{key}\.{name} must be {words}, got {values[name]!r}"):
        build(OmegaConf.create(values), key, kind)


def test_whole_float_is_an_integer_despite_postponed_annotations() -> None:
    node = OmegaConf.create({"_target_": "regen.downstream.generated_images.Augment", "generated": 1e3})
    assert repr(build(node, "task.augment", Task).generated) == "1000"


SCHEDULES = [
    ({"start": -1.0}, r"\.lambda_d: Cosine: its values must be finite numbers >= 0, got -1\.0"),
    ({"iterations": 1e400}, r"\.lambda_d\.iterations must be an integer or null, got inf"),
    ({"iterations": 2.5}, r"\.lambda_d\.iterations must be an integer or null, got 2\.5"),
    ({"iterations": None}, r"\.lambda_d: Cosine: type iterations=… or images=…"),
    ({"length": 5}, r"\.lambda_d\.length: regen\.core\.schedules\.Cosine takes start, end, iterations, images"),
]


@pytest.mark.parametrize(("values", "reason"), SCHEDULES, ids=[str(values) for values, _ in SCHEDULES])
def test_error_of_a_nested_target_begins_with_the_key_of_the_target(values, reason) -> None:
    schedule = {"_target_": "regen.core.schedules.Cosine", "start": 1.0, "end": 0.0, "iterations": 10} | values
    node = OmegaConf.create({"_target_": "regen.regularizers.gradients.R1", "lambda_d": schedule})
    with pytest.raises(ConfigError, match=f"^regularizer\\.r1{reason}"):
        build(node, "regularizer.r1", Regularizer)


def test_whole_float_is_an_integer_in_a_nested_target() -> None:
    schedule = {"_target_": "regen.core.schedules.Cosine", "start": 1.0, "end": 0.0, "iterations": 1e3}
    node = OmegaConf.create({"_target_": "regen.regularizers.gradients.R1", "lambda_d": schedule})
    assert repr(build(node, "regularizer.r1", Regularizer).strengths["d"].iterations) == "1000"
