"""Every file of conf/data names a builder and its arguments, no more and no less."""

import inspect
import typing
from pathlib import Path

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from regen.data.images import Use

FILES = sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_config_gives_the_builder_exactly_the_accepted_arguments(path):
    keys = dict(OmegaConf.load(path))
    build = get_object(keys.pop("_target_"))
    own = [
        name
        for name, parameter in inspect.signature(build).parameters.items()
        if parameter.kind != parameter.VAR_KEYWORD
    ]
    assert build.__name__ == path.stem
    assert sorted(keys) == sorted([*own, *typing.get_type_hints(Use)])


@pytest.mark.parametrize("name", ["digits", "shapes", "ring", "grid"])
def test_data_sets_without_download_are_built_as_shipped(name):
    keys = dict(OmegaConf.load(FILES[0].parent / f"{name}.yaml"))
    images = get_object(keys.pop("_target_"))(**keys)
    assert images.name == name and images.monitor == keys["monitor"] and len(images.train) > 1000
