"""overrides.yaml and config.yaml of someone else's run: plain values of known keys are read, and nothing that acts."""

import contextlib
import sys
from pathlib import Path

import pytest
import yaml
from helpers.untrained_runs import made
from omegaconf import OmegaConf

from regen.cli import entry_point
from regen.comparison.load_runs import gather
from regen.errors import ConfigError
from regen.runs.load import open_run
from regen.runs.stored_config import escape_interpolations, plain_overrides, read_config, read_overrides, read_yaml

HOSTILE = {
    "--config-dir=CANARY": "an option",
    "--multirun": "an option",
    "-m": "an option",
    "+hydra.callbacks.x._target_=pathlib.Path": "a setting of Hydra",
    "+hydra.callbacks.x={_target_: pathlib.Path.touch, self: CANARY}": "a setting of Hydra",
    "+hydra.job.env_set.X=1": "a setting of Hydra",
    "hydra.job_logging.handlers.file.filename=CANARY": "a setting of Hydra",
    "hydra.output_subdir=../..": "a setting of Hydra",
    "hydra.run.dir=CANARY": "a setting of Hydra",
    "hydra/launcher=joblib": "a setting of Hydra",
    "'hydra.output_subdir'=x": "no override",
    "+foo=1": "an override with +",
    "++seed=1": "an override with +",
    "~seed": "an override with ~",
    "+regularizer.x={_target_: regen.runs.provenance._git, _args_: [init, CANARY]}": "an override with +",
    "+schedule@hydra.callbacks.x=linear": "an override with +",
    "loss@hydra.callbacks=hinge": "an override with @",
    "name=${oc.env:WANDB_API_KEY}": "an interpolation",
    "name='x ${oc.env:HOME}'": "an interpolation",
    "data.root=${oc.decode:x}": "an interpolation",
    "seed=1,2": "not a plain value",
    "seed=choice(1,2)": "not a plain value",
    "lambda_d=interval(0,1)": "not a plain value",
    "loss={_target_: regen.runs.provenance._git}": "not a plain value",
    "loss=../../CANARY": "not the name of an option",
    "regularizer=[l2,../evil]": "not the name of an option",
    "data='/tmp/evil'": "not the name of an option",
    "metrics.features.path=CANARY": "a file that would be loaded",
    "metrics.features.weights=CANARY": "a file that would be loaded",
    "no override": "no override",
}
PLAIN = (
    "seed=1",
    "lambda_g=0.1",
    "data.root='o\\'neil, фото'",
    "regularizer=[l2,r1]",
    "regularizer.l2.reduce=mean",
    "+schedule@regularizer.r1.lambda_d=cosine",
    "network.generator.hidden=[8,8]",
    "experiment=null",
    "tags=[a,b]",
    "name=null",
    "sweep=mine",
    "data.root='\\${x}'",
)


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(lines, allow_unicode=True))
    return path


@pytest.mark.parametrize("line", HOSTILE)
def test_stored_override_with_code_is_refused_and_named(tmp_path, line):
    path = write(tmp_path / "overrides.yaml", ["seed=1", line.replace("CANARY", str(tmp_path / "canary"))])
    with pytest.raises(ConfigError) as refusal:
        read_overrides(path)
    said = str(refusal.value)
    assert str(path) in said and (HOSTILE[line] in said or "interpolation" in said)
    assert "2" in said.partition(str(path))[2][:10]  # the entry or the line
    assert plain_overrides(path) in ([], ["seed=1"])
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("line", HOSTILE)
def test_resume_runs_no_stored_code(train, tmp_path, line, capsys):
    canary = tmp_path / "canary"
    path = write(tmp_path / "stranger/overrides.yaml", [line.replace("CANARY", str(canary))])
    train(f"resume={path.parent}", "max_iterations=1", status=78)
    assert str(path) in capsys.readouterr().err
    assert not canary.exists() and [file.name for file in path.parent.iterdir()] == ["overrides.yaml"]


def test_plain_overrides_are_read_without_overrides_typed_again(tmp_path):
    path = write(tmp_path / "overrides.yaml", [*PLAIN, "resume=/else", "+mine=1", "~seed"])
    assert read_overrides(path, ["+mine=1", "~seed"]) == list(PLAIN)
    with pytest.raises(ConfigError, match=r"entry 14: \+mine=1: an override with \+.*type it again after resume="):
        read_overrides(path)


@pytest.mark.parametrize("content", ["{a: 1}", "3", "[1, 2]", "[[a]]", "- a\n  b: [", "\x00"])
def test_an_overrides_file_that_is_no_list_of_overrides_is_named(tmp_path, content):
    path = tmp_path / "overrides.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"overrides\.yaml"):
        read_overrides(path)
    path.write_text("")
    assert read_overrides(path) == []


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
YAMLS = {
    "aliases": (BOMB, "line 1: anchors and aliases"),
    "deep": ("a: " + "[" * 2000, "nested more than 32 deep"),
    "long": ("a: " + "x" * 1_100_000, "expected at most 1,000,000"),
    "tag": ("a: !!python/object/apply:os.system [touch canary]", "line 1: the tag"),
    "environment": ("a: 1\nname: ${oc.env:WANDB_API_KEY}", r"line 2: \$\{oc.env:WANDB_API_KEY\} is an interpolation"),
    "decode": ("name: ${oc.decode:${oc.env:X}}", "is an interpolation"),
    "node": ("name: x${seed}", "is an interpolation"),
    "key": ("${seed}: 1", "is an interpolation"),
}


@pytest.mark.parametrize("case", YAMLS)
def test_a_configuration_that_acts_or_explodes_is_refused_at_once(tmp_path, case, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    made(tmp_path / "run")
    path = tmp_path / "run/config.yaml"
    text, said = YAMLS[case]
    path.write_text(f"{text}\n{path.read_text()}" if case not in ("deep",) else text)
    for read in (read_yaml, read_config, lambda _: open_run(tmp_path / "run")):
        with pytest.raises(ConfigError, match=said) as refusal:
            read(path)
        assert "secret" not in str(refusal.value)
    with contextlib.suppress(ConfigError):
        assert gather(str(tmp_path / "run"))[0] == []


def test_the_page_of_a_run_with_an_interpolation_shows_no_secret(tmp_path, monkeypatch, capsys):
    from regen.cli import report

    monkeypatch.setenv("WANDB_API_KEY", "very-secret")
    made(tmp_path / "run")
    path = tmp_path / "run/config.yaml"
    path.write_text(path.read_text().replace("name: null", "name: ${oc.env:WANDB_API_KEY}"))
    monkeypatch.setattr(sys, "argv", ["report.py", f"run={tmp_path / 'run'}"])
    with contextlib.suppress(SystemExit):
        entry_point.run(report.main)
    assert "is an interpolation" in "".join(capsys.readouterr())
    assert not any(
        "very-secret" in file.read_text(errors="replace") for file in path.parent.rglob("*") if file.is_file()
    )


def test_text_with_interpolations_is_read_unchanged(tmp_path):
    content = {"a": "${x}", "b": ["\\${y}", "$z"], "c": "plain\\"}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(escape_interpolations(content)))
    assert OmegaConf.to_container(read_config(path), resolve=True) == content
