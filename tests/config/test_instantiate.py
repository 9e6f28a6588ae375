"""Arguments of classes are checked against their annotations, also in modules whose annotations are text."""

import pytest
from omegaconf import OmegaConf

from regen.config.instantiate import build
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
