"""The sweep of regularizers trains each of them once, and its file has the figures of the runs."""

import json
import shlex
from pathlib import Path

import pytest
import regularizer_sweep
import yaml
from hydra import compose, initialize_config_dir

from regen.config import validate
from regen.config.resolvers import register_resolvers
from regen.core.constraints import needs_both
from regen.report.regularizer_docs import regularizer_infos
from regen.report.sweep_results import PATH, read_sweep
from regen.utils.project import ROOT


def write_run(folder: Path, names: list[str], seed: int, value: float | None, **figures: float) -> None:
    """Write the files of a finished run, or of one that diverged without a value."""
    folder.mkdir(parents=True)
    config = {"seed": seed, "data": {}, "regularizer": {name: {} for name in names}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    status = "diverged" if value is None else "finished"
    result = {"status": status, "figures": {"val/generalization": value, "gap/copies": 0.0, **figures}}
    diagnosis = {"kind": "diverged" if value is None else "underfits", "sentence": ""}
    (folder / "result.json").write_text(json.dumps(result | {"diagnosis": diagnosis}))


def test_every_regularizer_is_the_last_of_one_setting():
    keys = [key for keys in regularizer_sweep.settings().values() for key in keys if key != "none"]
    infos = [info for info in regularizer_infos() if not needs_both(info.kind)]
    assert sorted(key.split("+")[-1] for key in keys) == sorted(info.name for info in infos)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=command[2], marks=[pytest.mark.slow] * command[2].endswith(("_gan", "_vae")))
        for command in regularizer_sweep.commands(["seed=0"])
    ],
)
def test_every_job_of_a_command_composes_and_passes_checks(command):
    register_resolvers()
    axis = command[-1].partition("=")[2]
    keys = regularizer_sweep.settings()[command[2].removeprefix("sweep=regularizers_")]
    assert ",".join(map(regularizer_sweep.option, keys)) == axis
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for key in keys:
            validate.check(compose("train", [*command[2:-1], f"regularizer={regularizer_sweep.option(key)}"]))


def test_printed_commands_have_the_arguments_of_the_multiruns(capsys: pytest.CaptureFixture):
    assert regularizer_sweep.main(["commands", "seed=0,1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [shlex.split(line)[1:] for line in lines] == regularizer_sweep.commands(["seed=0,1"])


def test_file_has_the_figures_of_finished_and_diverged_runs(tmp_path: Path):
    write_run(tmp_path / "none_0", [], 0, 0.80004)
    write_run(tmp_path / "none_1", [], 1, 0.9)
    write_run(tmp_path / "kl_1", ["kl"], 1, None)
    write_run(tmp_path / "kl_0", ["kl"], 0, 0.5, **{"gap/copies": 0.02})
    write_run(tmp_path / "kl-dip_0", ["kl", "dip"], 0, 0.6)
    groups = regularizer_sweep.read_groups(tmp_path)
    content = regularizer_sweep.collect({"vae": groups}, {"vae/kl": 1.0416})
    assert content["models"]["vae"] == {
        "seeds": [0, 1],
        "settings": {
            "none": {"values": [0.8, 0.9], "copies": [0.0, 0.0], "diagnoses": ["underfits", "underfits"]},
            "kl+dip": {"values": [0.6, None], "copies": [0.0, None], "diagnoses": ["underfits", None]},
            "kl": {
                "values": [0.5, None],
                "copies": [0.02, None],
                "diagnoses": ["underfits", "diverged"],
                "time": 1.042,
            },
        },
    }
    regularizer_sweep.write(content, tmp_path / "sweep.yaml")
    sweep = read_sweep(tmp_path / "sweep.yaml")
    assert sweep.of("kl").values == {0: 0.5} and sweep.of("dip").reference is sweep.of("kl")


@pytest.mark.filterwarnings("ignore:Found .* in eval mode", "ignore:.*LeafSpec")
def test_time_of_a_regularizer_is_a_positive_ratio(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(regularizer_sweep, "ROUNDS", 1)
    assert regularizer_sweep.time_of("flow", "input_perturbation") > 0


def test_shipped_file_has_settings_of_the_sweep():
    settings = read_sweep(PATH).settings
    expected = {(model, key) for model, keys in regularizer_sweep.settings().items() for key in keys}
    assert {(setting.model, "+".join(setting.names) or "none") for setting in settings} <= expected
