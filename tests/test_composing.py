"""What the tests' Hydra remembers is what Hydra makes."""

import copy

import composing
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, ValidationError

from regen.config.schemas import Train
from regen.utils.project import ROOT

SEARCH = ["hydra/sweeper=optuna", "hydra/launcher=joblib", "hydra.sweeper.n_trials=7", "model=vae", "data=ring"]
TYPED = ["regularizer=[l2,r1]", "lambda_g=0.1", "experiment=article", "data={batch_size: 7}", "~log_every", "+mine=1"]


@pytest.mark.parametrize(("name", "typed"), [("train", TYPED), ("choose", TYPED), ("train", SEARCH)], ids=str)
def test_a_composition_that_is_remembered_is_hydras_own(monkeypatch, name, typed) -> None:
    def composed():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose(name, typed, return_hydra_config=True)

    first, again = composed(), composed()
    for place, before in composing.BEFORE.items():
        monkeypatch.setattr(*place, before)
    plain = composed()
    assert first == again == plain
    assert OmegaConf.to_yaml(again) == OmegaConf.to_yaml(plain)  # the order of keys, too
    assert OmegaConf.get_type(again, "hydra") == OmegaConf.get_type(plain, "hydra")
    again.max_iterations = 3
    assert composed().max_iterations == plain.max_iterations


def test_a_copied_config_is_omegaconfs_copy() -> None:
    whole = OmegaConf.structured(Train)
    whole.tags, whole.network = ["a", "${monitor}"], {"nested": [1, {"none": None}]}
    OmegaConf.set_struct(whole.network, True)
    for node in (whole, whole.network, whole.tags):
        ours, theirs = copy.deepcopy(node), composing.BEFORE[type(node), "__deepcopy__"](node, {})
        assert ours is not node and ours == theirs and OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs)
        assert ours._get_parent() is node._get_parent() is theirs._get_parent()
        assert OmegaConf.is_struct(ours) == OmegaConf.is_struct(theirs) == OmegaConf.is_struct(node)
        assert OmegaConf.get_type(ours) == OmegaConf.get_type(theirs)
    ours = copy.deepcopy(whole)
    ours.network.nested[0] = 2
    assert whole.network.nested[0] == 1 and ours.network.nested._get_parent() is ours.network
    held = OmegaConf.create({"beside": {"it": (value := torch.ones(2))}}, flags={"allow_objects": True})
    assert copy.deepcopy(held).beside.it is value
    with pytest.raises(ValidationError):
        ours.max_iterations = "many"
