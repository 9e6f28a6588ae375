"""--help explains every key by the comments of conf/, and automatic names are short."""

import sys

import pytest
from omegaconf import OmegaConf

from regen.cli import commands
from regen.config.key_comments import comments_of, explained
from regen.config.resolvers import folder_name
from regen.utils.project import CONF

PROGRAMS = sorted(set(commands.COMMANDS) - set(commands.WITHOUT_HYDRA))


def shown_help(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["regen", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    commands.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_explains_every_key_of_a_command(monkeypatch, capsys, name: str) -> None:
    shown = shown_help(monkeypatch, capsys, name, "--help")
    own = OmegaConf.load(CONF / f"{name}.yaml")
    for key in own:
        if key in ("defaults", "hydra") or OmegaConf.is_config(own._get_node(key)):
            continue
        line = next(line for line in shown.splitlines() if line.startswith(f"{key}:"))
        assert "  # " in line, line


def test_help_explains_keys_of_the_chosen_options(monkeypatch, capsys) -> None:
    shown = shown_help(monkeypatch, capsys, "train", "--help", "data=mnist", "regularizer=r1")
    lines = [line for line in shown[shown.index("Every key") :].splitlines() if ": " in line and "  # " not in line]
    keys = {line.split(":")[0].strip() for line in lines} - {"_target_", "_partial_", "regen train --hydra-help shows"}
    assert keys <= {"width", "batch_norm", "lr", "fused", "recipe", "Every key, with its value (override as KEY=VALUE)"}
    assert "accelerator: auto" in shown and "Every key" in shown and "hydra:" not in shown


def test_help_lists_own_options_of_config_dir(monkeypatch, capsys, bomb) -> None:
    shown = shown_help(monkeypatch, capsys, "train", "--help", *bomb("nothing"))
    assert "bomb, " in shown and "_target_: bomb.Bomb" in shown


def test_comments_belong_to_the_full_key_of_the_line(tmp_path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("a:           # first\n  b: '# no'   # second\n  c: 1\nd: [1, 2]  # third\n# not: a key\n")
    assert comments_of(path) == {"a": "first", "a.b": "second", "d": "third"}
    shown = explained({"a": {"b": 1, "c": 2}, "d": [1]}, comments_of(path))
    assert [line.partition("#")[2] for line in shown.splitlines()] == [" first", " second", "", " third", ""]


def test_automatic_names_of_runs_have_at_most_60_characters() -> None:
    folder_name.cache_clear()
    name = folder_name("regularizer=l2,lambda_g=0.1,data.batch_size=128,network.generator.hidden=[128,128]")
    assert 50 < len(name) <= 60 and "_regularizer-l2_lambda_g-0.1" in name
