"""What the tests' Hydra remembers is what Hydra makes."""

import composing
import pytest
from hydra import compose, initialize_config_dir
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from regen.runs import ROOT

TYPED = ["regularizer=[l2,r1]", "lambda_g=0.1", "experiment=article", "data={batch_size: 7}", "~log_every", "+mine=1"]


@pytest.mark.parametrize("name", ["train", "choose"])
def test_a_composition_that_is_remembered_is_hydras_own(monkeypatch, name) -> None:
    def composed():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose(name, TYPED, return_hydra_config=True)

    first, again = composed(), composed()
    monkeypatch.setattr(OmegaConf, "load", composing.read)
    monkeypatch.setattr(config_loader_impl, "create_defaults_list", composing.list_defaults)
    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", composing.merge)
    plain = composed()
    assert first == again == plain
    assert OmegaConf.to_yaml(again) == OmegaConf.to_yaml(plain)  # the order of keys, too
    again.lambda_g = 3
    assert composed().lambda_g == 0.1
