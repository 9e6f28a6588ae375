"""What the tests' Hydra remembers is what Hydra makes."""

import composing
import pytest
from hydra import compose, initialize_config_dir
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from omegaconf import OmegaConf

from regen.runs import ROOT

SEARCH = ["hydra/sweeper=optuna", "hydra/launcher=joblib", "hydra.sweeper.n_trials=7", "model=vae", "data=ring"]
TYPED = ["regularizer=[l2,r1]", "lambda_g=0.1", "experiment=article", "data={batch_size: 7}", "~log_every", "+mine=1"]


@pytest.mark.parametrize(("name", "typed"), [("train", TYPED), ("choose", TYPED), ("train", SEARCH)], ids=str)
def test_a_composition_that_is_remembered_is_hydras_own(monkeypatch, name, typed) -> None:
    def composed():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose(name, typed, return_hydra_config=True)

    first, again = composed(), composed()
    monkeypatch.setattr(OmegaConf, "load", composing.read)
    monkeypatch.setattr(ConfigRepository, "load_config", composing.load_config)
    monkeypatch.setattr(defaults_list, "_create_interpolation_map", composing.map_choices)
    monkeypatch.setattr(config_loader_impl, "create_defaults_list", composing.list_defaults)
    monkeypatch.setattr(ConfigLoaderImpl, "_load_single_config", composing.embed)
    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", composing.merge)
    plain = composed()
    assert first == again == plain
    assert OmegaConf.to_yaml(again) == OmegaConf.to_yaml(plain)  # the order of keys, too
    assert OmegaConf.get_type(again, "hydra") == OmegaConf.get_type(plain, "hydra")
    again.max_iterations = 3
    assert composed().max_iterations == plain.max_iterations
