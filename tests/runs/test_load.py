"""Runs that have ended, or still train, are opened without changing them."""

import shutil
from pathlib import Path

import pytest
import torch
from helpers.tiny_models import same, weights
from helpers.untrained_runs import made, save

from regen.core import checkpoint
from regen.errors import ConfigError
from regen.runs import find
from regen.runs.folder import Folder
from regen.runs.load import find_runs, open_run
from regen.utils.json_files import write_json


def test_run_opens_with_the_weights_of_the_checkpoint_ready_to_sample(tmp_path):
    model = made(tmp_path / "run")
    opened = open_run(tmp_path / "run")
    assert same(weights(opened.model), weights(model)) and not opened.model.training
    assert (opened.model.iteration, opened.model.images_seen, opened.state["iteration"]) == (1, 4, 1)
    assert opened.shape == (1, 8, 8) == opened.data.shape and opened.cfg.model.latent_dim == 8
    assert torch.equal(opened.model.sample(0, 5), model.sample(0, 5))


def test_opened_run_samples_the_averaged_or_the_raw_generator(tmp_path):
    model, z = made(tmp_path / "run"), torch.linspace(-1, 1, 24).view(3, 8)
    opened = open_run(tmp_path / "run")
    average, raw = opened.sampler("ema")(z), opened.sampler("raw")(z)
    assert average.shape == (3, 1, 8, 8) and not torch.equal(average, raw)
    assert torch.equal(average, model.ema(z)) and torch.equal(raw, model.generator(z))
    with pytest.raises(ConfigError, match="weights=rwa: expected ema, raw or power_WIDTH"):
        opened.sampler("rwa")


@pytest.mark.parametrize(("name", "shape"), [("mnist", (1, 28, 28)), ("cifar10", (3, 32, 32))])
@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet"])
def test_data_set_of_an_opened_run_may_be_missing(tmp_path, name, shape, network):
    made(tmp_path / "run", f"data.root={tmp_path}/nowhere", data=name, network=network, shape=shape)
    assert open_run(tmp_path / "run").shape == shape


def test_points_open_as_images_do(tmp_path):
    made(tmp_path / "run", "data.train=64", "data.validation=8", "data.test=8", data="ring", shape=(2, 1, 1))
    opened = open_run(tmp_path / "run")
    assert opened.shape == (2, 1, 1) and opened.data.name == "ring"


@pytest.mark.parametrize(
    "regularizer", ["spectral_norm", "weight_norm", "ada", "lecam", "packing", "rotation", "path_length"]
)
def test_the_state_of_regularizers_is_read_too(tmp_path, regularizer):
    model = made(tmp_path / "run", regularizer=regularizer)
    assert same(weights(open_run(tmp_path / "run").model), weights(model))


def test_running_run_is_left_unchanged(tmp_path):
    made(tmp_path / "run")
    (tmp_path / "run/checkpoints/iteration_000000002.ckpt.tmp").write_bytes(b"under way")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    open_run(tmp_path / "run")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_damaged_checkpoint_is_named_and_the_previous_checkpoint_used(tmp_path, caplog):
    made(tmp_path / "run", iterations=2)
    damage(tmp_path / "run/checkpoints/iteration_000000002.ckpt")
    assert open_run(tmp_path / "run").model.iteration == 1
    assert "iteration_000000002.ckpt is damaged" in caplog.text
    damage(tmp_path / "run/checkpoints/iteration_000000001.ckpt")
    with pytest.raises(ConfigError, match="every checkpoint is damaged"):
        open_run(tmp_path / "run")


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def test_the_best_checkpoint_is_the_newest_where_there_is_none(tmp_path, caplog):
    model = made(tmp_path / "run", iterations=2)
    assert open_run(tmp_path / "run", "best").model.iteration == 2
    assert "has no best checkpoint" in caplog.text
    model.count.iteration = 1
    checkpoint.save(tmp_path / "run/checkpoints/best.ckpt", model, rows=0, best={}, figures={})
    assert open_run(tmp_path / "run", "best").model.iteration == 1
    damage(tmp_path / "run/checkpoints/best.ckpt")
    with pytest.raises(ConfigError, match="Type checkpoint=newest, or another run"):
        open_run(tmp_path / "run", "best")
    with pytest.raises(ConfigError, match="checkpoint=last: expected newest or best"):
        open_run(tmp_path / "run", "last")


def test_a_run_without_a_checkpoint_says_why(tmp_path):
    made(tmp_path / "run", iterations=0)
    with pytest.raises(ConfigError, match=r"no checkpoint yet: .* save_every=500"):
        open_run(tmp_path / "run")
    write_json(Folder(tmp_path / "run").result, {"status": "diverged", "reason": "d/loss at iteration 3"})
    with pytest.raises(ConfigError, match=r"diverged \(d/loss at iteration 3\)"):
        open_run(tmp_path / "run")


def test_a_checkpoint_of_another_run_is_refused_with_the_first_difference(tmp_path):
    made(tmp_path / "run")
    made(tmp_path / "other", "network.generator.hidden=[16]")
    shutil.copytree(tmp_path / "other/checkpoints", tmp_path / "run/checkpoints", dirs_exist_ok=True)
    with pytest.raises(ConfigError, match=r"generator.layers.0.weight is \(16, 8\) there and \(128, 8\)"):
        open_run(tmp_path / "run")


def test_class_outside_regen_needs_the_config_dir_again(tmp_path):
    made(tmp_path / "run")
    config = tmp_path / "run/config.yaml"
    config.write_text(config.read_text().replace("regen.networks.mlp.Generator", "mine.Generator"))
    with pytest.raises(
        ConfigError, match=r"mine.Generator is not allowed.*Trained with it\? Type --config-dir FOLDER again"
    ):
        open_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "cannot be read"), ("seed: 0", "it has no data"), ("3", "cannot be read")]
)
def test_a_configuration_that_is_none_is_named(tmp_path, text, message):
    made(tmp_path / "run", iterations=0)
    (tmp_path / "run/config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        open_run(tmp_path / "run")


def test_a_device_that_is_not_there_is_named(tmp_path):
    made(tmp_path / "run")
    assert open_run(tmp_path / "run", device="auto").model.device.type in ("cpu", "cuda")
    with pytest.raises(ConfigError, match=r"device=gpu: .*Type device=cpu, cuda or auto"):
        open_run(tmp_path / "run", device="gpu")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """here/a, here/b, and project/outputs/2026_none: folders with a config.yaml, and the first of them the current one."""
    for name in ("here/a", "here/b", "project/outputs/2026_none"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").touch()
    (tmp_path / "here/empty").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(find, "ROOT", tmp_path / "project")
    return tmp_path


def test_runs_are_found_here_and_in_the_project_by_path_list_or_glob(runs):
    a, b, other = runs / "here/a", runs / "here/b", runs / "project/outputs/2026_none"
    assert find_runs("a") == find_runs("a/") == find_runs(a) == find_runs(str(a)) == [a]
    assert find_runs("outputs/2026_none") == find_runs("outputs/*_none") == [other]
    assert find_runs("*") == find_runs("[ab]") == [a, b]
    assert find_runs(["b", "outputs/*", "*"]) == [b, other, a]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("c", r"run=c: no run there; looked in .*/here/c and .*/project/c$"),
        ("c*", r"no run there; looked in .*/here/c\* and"),
        ("../here", r"It holds runs: type run='../here/\*'"),
        ("a/config.yaml", r"Type the run's folder: run=.*/here/a$"),
        ("2026_none", r"\(did you mean outputs/2026_none\?\)"),
        ("outputs/2026_nnoe", r"\(did you mean outputs/2026_none\?\)"),
        ("none", r"\(did you mean outputs/2026_none\?\)"),
        ("", r"which run\? Type run=outputs/RUN"),
        ([], r"which run\? Type run=outputs/RUN"),
        (["a", "c"], r"run=c: no run there"),
    ],
)
def test_missing_run_is_an_error_with_the_searched_paths(runs, asked, message):
    with pytest.raises(ConfigError, match=message):
        find_runs(asked)


def test_the_newest_checkpoint_counts(tmp_path):
    model = made(tmp_path / "run")
    model.count.iteration = 12
    save(tmp_path / "run", model)
    assert open_run(tmp_path / "run").model.iteration == 12
