"""A `_target_` calls what conf/ lists for its group, and nothing else: of each payload a canary file would remain."""

import functools
import importlib
import pkgutil
from pathlib import Path

import pytest
from helpers.untrained_runs import made
from omegaconf import OmegaConf

import regen
from regen.config.instantiate import build
from regen.config.targets import CONF, GROUPS, group_of, resolve
from regen.core.objective import Loss
from regen.errors import ConfigError
from regen.runs.load import open_run

KEYS = (  # one for each group
    "data",
    "network.generator",
    "loss",
    "gradient_method",
    "regularizer.x",
    "metrics.features",
    "metrics.features.net",
    "task.x",
    "metrics.x",
    "model",
    "model.prior",
    "model.optimizer_g",
    "hydra.sweeper.sampler",
    "hydra.sweeper.pruner",
    "regularizer.x.lambda_d",
)
NESTED = {"_target_": "regen.runs.provenance._git", "_args_": ["init", "CANARY"]}


@functools.cache
def callables_of_the_package() -> list[str]:
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(regen.__path__, "regen.")]
    return [
        f"{module.__name__}.{name}" for module in modules for name, value in vars(module).items() if callable(value)
    ]


def test_each_group_has_a_key_here():
    assert [group_of(key) for key in KEYS] == list(GROUPS)


@pytest.mark.parametrize("where", KEYS)
def test_unlisted_callable_of_the_package_is_not_a_target(where):
    listed, names = group_of(where).listed, callables_of_the_package()
    assert len(names) > 1000
    for name in set(names) - listed:
        with pytest.raises(ConfigError, match="is not allowed"):
            resolve(name, where)


def test_every_option_of_conf_is_listed_in_an_admitting_group():
    folders = {folder for group in GROUPS for folder in group.folders}
    elsewhere = {"hydra/sweeper": "hydra_plugins.regen_optuna.sweeper.Search"}  # Hydra makes it itself
    for path in CONF.rglob("*.yaml"):
        folder = str(path.parent.relative_to(CONF))
        for line in path.read_text().splitlines():
            name = line.partition("_target_: ")[2]
            if name and not line.lstrip().startswith("#") and elsewhere.get(folder) != name and path.parent != CONF:
                assert any(name in group.listed or name.startswith("torch.optim.") for group in GROUPS), path
                assert folder in folders or folder == "recipe", path


@pytest.mark.parametrize("where", KEYS)
def test_payload_is_refused_before_the_call(where, tmp_path):
    canary = tmp_path / "canary"
    for target, more in {
        "regen.runs.provenance._git": {"_args_": ["init", str(canary)]},
        "regen.utils.safe_files.write_safely": {"path": str(canary), "content": "x"},
        "regen.runs.Path.touch": {"self": str(canary)},
        "pathlib.Path.touch": {"self": str(canary)},
        "hydra.utils.instantiate": {"config": {"_target_": "builtins.open", "file": str(canary), "mode": "w"}},
        "torch.optim.lr_scheduler.partial": {},
        "optuna.samplers.warnings.warn": {"message": "called"},
        "torch.optim.lr_scheduler.LambdaLR": {},
    }.items():
        with pytest.raises(ConfigError, match="is not allowed"):
            build(OmegaConf.create({"_target_": target, **more}), where, object)
    assert not canary.exists()


@pytest.mark.parametrize(
    "nested",
    [
        {"extra": NESTED},
        {"extra": {"deep": {"deeper": NESTED}}},
        {"extra": [1, [NESTED]]},
        {"_args_": [NESTED]},
        {"extra": {"_target_": "regen.losses.adversarial.Hinge", "_args_": [NESTED]}},
    ],
)
def test_a_payload_within_the_arguments_of_another_target_is_refused(nested, tmp_path):
    node = OmegaConf.create({"_target_": "regen.losses.adversarial.Hinge", **nested})
    with pytest.raises(ConfigError, match="is not allowed"):
        build(node, "loss", Loss)


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_convert_", "_recursive_", "_mine_"])
def test_other_ways_to_call_a_target_are_refused(key):
    with pytest.raises(ConfigError, match=rf"loss\.{key} is not allowed"):
        build(OmegaConf.create({"_target_": "regen.losses.adversarial.Hinge", key: True}), "loss", Loss)


def test_run_with_a_payload_is_refused_at_every_key(tmp_path):
    made(tmp_path / "run")
    path, canary = tmp_path / "run/config.yaml", tmp_path / "canary"
    good = OmegaConf.load(path)
    for key in (
        "loss",
        "model",
        "gradient_method",
        "network.generator",
        "model.optimizer_g",
        "regularizer.x",
        "model.top_k",
    ):
        cfg = good.copy()
        payload = {"_target_": "regen.runs.provenance._git", "_args_": ["init", str(canary)]}
        OmegaConf.update(cfg, key, OmegaConf.create(payload), merge=False, force_add=True)
        path.write_text(OmegaConf.to_yaml(cfg))
        with pytest.raises(ConfigError, match=r"regen\.runs\.provenance\._git is not allowed"):
            open_run(tmp_path / "run")
    cfg = good.copy()
    cfg.data = payload
    path.write_text(OmegaConf.to_yaml(cfg))
    with pytest.raises(ConfigError, match=r"data\._target_=regen\.runs\.provenance\._git is not allowed"):
        _ = open_run(tmp_path / "run").data
    assert not canary.exists()


OWN = """
from pathlib import Path

from regen.losses.adversarial import Hinge
from regen.core.objective import Loss

class Mine(Hinge):
    "A loss."

def factory() -> Loss:
    return Mine()

def touch(path: str) -> Path:
    Path(path).touch()

class Unrelated:
    def __init__(self, path: str) -> None:
        Path(path).touch()
"""


@pytest.mark.parametrize(
    ("name", "admitted"), [("Mine", True), ("factory", True), ("touch", False), ("Unrelated", False)]
)
def test_of_a_users_folder_classes_and_factories_of_the_right_kind_are_called(train, tmp_path, capsys, name, admitted):
    folder, canary = tmp_path / f"conf_{name}", tmp_path / "canary"
    (folder / "loss").mkdir(parents=True)
    (folder / f"own_{name}.py".lower()).write_text(OWN)
    more = "" if admitted else f"path: {canary}\n"
    (folder / "loss/mine.yaml").write_text(f"_target_: own_{name.lower()}.{name}\n{more}")
    status = None if admitted else 78
    train("--config-dir", str(folder), "loss=mine", "max_iterations=1", status=status)
    assert admitted or "is not a subclass of regen.core.objective.Loss" in capsys.readouterr().err
    assert not Path(canary).exists()
