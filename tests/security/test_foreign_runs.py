"""Runs whose files are whole, but are not what regen writes: refused in one sentence, before their values are used."""

import io
import json
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from helpers.commands import type_in
from helpers.untrained_runs import made

from regen.cli import downstream, evaluate, judge, report, sample
from regen.comparison.load_runs import gather
from regen.config.resolvers import run_folder
from regen.core import checkpoint
from regen.data.archive_input import ImageArchive
from regen.data.array_file import read_array_file
from regen.data.digits import digits
from regen.errors import ConfigError
from regen.runs.codes import open_autoencoder
from regen.runs.csv_log import CSVLog
from regen.runs.data_identity import check_data, read_settings
from regen.runs.folder import Folder
from regen.runs.load import open_run
from regen.utils.json_files import read_json

FOREIGN = {
    "model": [None, {"a": 3}, {3: torch.zeros(1)}],
    "optimizers": [5, {"g": 5}],
    "iteration": ["../../../outside", -1, True, 1 << 64, 1.5],
    "images_seen": ["x", None],
    "rows": ["x", [1]],
    "best": [[], {"val/fd": "x"}],
    "figures": ["x", {1: 2.0}],
    "record": [5, [[1]], [[1, {"g/loss": 2.0}]]],
    "records": [[5], [[[0, 1]]]],
}

USE = {"batch_size": 8, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}


@pytest.fixture
def run(tmp_path) -> Path:
    made(tmp_path / "run")
    return tmp_path / "run"


def read_archive(path: Path) -> None:
    """Read the images of an archive that is judged."""
    _ = ImageArchive("samples", path).images


def sign(path: Path, edit) -> None:
    """Change a checkpoint, and give it the digest of its new content."""
    state = torch.load(path, weights_only=True)
    del state["digest"]
    edit(state)
    torch.save(state | {"digest": checkpoint.digest(state)}, path)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in FOREIGN for value in FOREIGN[name]], ids=repr)
def test_checkpoint_with_an_entry_of_another_kind_is_damaged(run, name, value):
    (path,) = Folder(run).checkpoints.glob("*.ckpt")
    sign(path, lambda state: state.update({name: value}))
    with pytest.raises(ValueError, match=rf"is damaged \(its {name} (is|are) not of the expected kind"):
        checkpoint.load(path)


@pytest.mark.parametrize("name", [name for name in FOREIGN if name != "records"])
def test_checkpoint_without_an_entry_is_damaged(run, name):
    (path,) = Folder(run).checkpoints.glob("*.ckpt")
    sign(path, lambda state: state.pop(name))
    with pytest.raises(ConfigError, match="every checkpoint is damaged"):
        open_run(run)


def test_samples_are_not_written_where_a_checkpoint_says(run, monkeypatch, capsys):
    (path,) = Folder(run).checkpoints.glob("*.ckpt")
    sign(path, lambda state: state.update(iteration="/../../../outside"))
    before = sorted(run.parent.rglob("*"))
    type_in(monkeypatch, sample, f"run={run}", "n=2", status=78)
    assert "is damaged" in capsys.readouterr().err and sorted(run.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq", "step"])
def test_moments_of_another_shape_are_refused_before_an_update_reads_past_the_end(tmp_path, name):
    model = made(tmp_path / "run")
    state = checkpoint.state_of(model)
    state["optimizers"]["d"]["state"][0][name] = torch.zeros(3)
    with pytest.raises(ConfigError, match=rf"optimizer of d does not fit its parameters \({name} has the shape \(3,\)"):
        checkpoint.restore(model, state)


@pytest.mark.parametrize("bounds", [torch.tensor(0.5), torch.zeros(0), torch.zeros(2, 2), torch.zeros(7)], ids=repr)
def test_classes_of_another_number_are_refused(tmp_path, bounds):
    made(tmp_path / "run", "model.conditional=true", n_classes=3)
    (path,) = Folder(tmp_path / "run").checkpoints.glob("*.ckpt")
    sign(path, lambda state: state["model"].update({"prior.bounds": bounds}))
    with pytest.raises(ConfigError, match="belong to different runs"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("value", [5, "x", [1], None], ids=repr)
@pytest.mark.parametrize("group", ["data", "model", "network", "regularizer", "loss", "trainer", "metrics"])
def test_config_group_that_is_not_keys_and_values_is_named(run, group, value):
    content = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(content | {group: value}))
    for read in (open_run, open_autoencoder):
        with pytest.raises(ConfigError, match=rf"config.yaml is not of a training run: .*{group}"):
            read(str(run))
    assert value is None or gather(str(run))[0] == []


@pytest.mark.parametrize("monitor", [5, [1], None], ids=repr)
def test_monitor_that_is_no_name_is_refused_before_an_evaluation(run, monitor):
    content = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(content | {"monitor": monitor}))
    with pytest.raises(ConfigError, match=r"monitor is .*, expected the name of a metric"):
        open_run(run)


@pytest.mark.parametrize("latent_dim", ["x", 1.5, 0, True, [3]], ids=repr)
def test_latent_dim_that_is_not_a_whole_number_is_named(run, latent_dim):
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["model"]["latent_dim"] = latent_dim
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"model\.latent_dim=.*: expected a whole number >= 1, like"):
        open_run(run)


@pytest.mark.parametrize("moments", [{}, {"state": {}}, {"state": {}, "param_groups": [{"params": []}]}])
def test_an_optimizer_of_other_parameters_is_refused(tmp_path, moments):
    model = made(tmp_path / "run")
    with pytest.raises(ConfigError, match="optimizer of g does not fit its parameters"):
        checkpoint.restore(model, checkpoint.state_of(model) | {"optimizers": {"g": moments}})


def test_aliases_in_the_configuration_of_a_resumed_run_are_not_expanded(run):
    levels = "".join(f"\na{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(10))}}}" for i in range(1, 10))
    with open(run / "config.yaml", "a") as file:
        file.write(f"a0: &a0 {{x: 1}}{levels}\n")
    with pytest.raises(ConfigError, match="anchors and aliases"):
        read_settings(Folder(run))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1, 2]", "no data"),
        (b"5", "no data"),
        (b"data: 5", "no data"),
        (b"data: {}\nnetwork: null", "no network"),
        (b"data: [", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "is missing"),
    ],
)
def test_damaged_configuration_of_a_resumed_run_is_named(run, content, reason):
    path = run / "config.yaml"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{path}.* {reason}"):
        read_settings(Folder(run))


@pytest.mark.parametrize("record", [5, "x", {"a": 1}, {"name": "digits", "fingerprint": "0", "images": "x"}])
def test_damaged_record_of_the_data_is_named(tmp_path, record):
    with pytest.raises(ConfigError, match="not the name, fingerprint and images"):
        check_data(record, digits(image_size=8, validation=0.1, test=0.1, **USE), tmp_path)


@pytest.mark.parametrize("row", ["1,x,2", "1,,2", "one,64,2", "1,64,2,3", "1"])
def test_log_with_text_in_place_of_numbers_is_damaged(tmp_path, row):
    (tmp_path / "metrics.csv").write_text(f"iteration,images_seen,d/loss\n{row}\n")
    with pytest.raises(ConfigError, match="is damaged"):
        CSVLog(tmp_path / "metrics.csv").check(1)


def test_log_with_empty_and_non_finite_figures_is_read(tmp_path):
    (tmp_path / "metrics.csv").write_text("iteration,images_seen,a,b\n1,64,,nan\n2,128,inf,3e-5\n")
    CSVLog(tmp_path / "metrics.csv").check(2)


@pytest.mark.parametrize("name", ["..", ".", "", "/", "---"])
def test_name_that_is_no_folder_in_outputs_is_refused(name):
    with pytest.raises(ConfigError, match=r"name=.*letters or digits"):
        run_folder(name, "")


@pytest.mark.parametrize("name", ["..", "''"])
def test_a_run_is_not_written_into_the_project(train, name, capsys):
    train(f"name={name}", "hydra.output_subdir=null", status=78)
    assert "expected a name with letters or digits" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_named(train, run, capsys):
    (run / "overrides.yaml").write_text("[]\n")
    (run / "train.log").mkdir()
    train(f"resume={run}", status=74)
    assert f"Is a directory: '{run}/train.log'" in capsys.readouterr().err


@pytest.mark.parametrize("script", [evaluate, report, downstream, judge], ids=lambda script: script.__name__)
def test_threads_by_which_torch_would_crash_are_refused(script, monkeypatch, capsys):
    words = ["samples=a", "train=b", "held_out=c"] if script is judge else ["run=nowhere"]
    words += ["task=features"] if script is downstream else []
    type_in(monkeypatch, script, *words, "threads=100000", status=78)
    assert "threads=100000: expected at most" in capsys.readouterr().err


def test_an_autoencoder_is_not_searched_for_in_all_folders():
    with pytest.raises(ConfigError, match="type one folder, not a pattern"):
        open_autoencoder("/**/nothing*")


RESULTS = {
    "status": [[1], {"a": 1}, 5, None],
    "monitor": [5, [1]],
    "figures": [5, [1], None],
    "diagnosis": [5, "x", [1]],
    "evaluations": [5, [5], {"a": 1}, [{"figures": {}}]],
    "downstream": [5, [5], [{"task": "cas", "split": "test", "scores": [5]}]],
    "iteration": ["x", None],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in RESULTS for value in RESULTS[key]], ids=repr)
def test_result_with_a_value_of_another_kind_is_damaged(tmp_path, key, value):
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"status": "finished", key: value}))
    with pytest.raises(ConfigError, match=rf"{path} is damaged \({key} is not of the kind"):
        read_json(path)


@pytest.mark.parametrize("read", [read_archive, partial(read_array_file, "data.root")], ids=["archive", "array"])
def test_an_array_larger_than_the_memory_is_refused(tmp_path, read):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50, 8, 8)})
    with zipfile.ZipFile(tmp_path / "large.npz", "w") as archive:
        archive.writestr("arr_0.npy", header.getvalue())
    with pytest.raises(ConfigError, match="Unable to allocate"):
        read(tmp_path / "large.npz")
