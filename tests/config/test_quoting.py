"""Paths on the command line: any that the shell can pass, in every command that takes one."""

import shutil
from pathlib import Path

import pytest
from helpers.commands import type_in
from helpers.untrained_runs import made
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from PIL import Image

from regen.config.quoting import quote, quote_paths, unquote
from regen.errors import ConfigError

NAMES = (
    "фото",
    "o'neil",
    "a b(2)",
    'dou"ble',
    "[list]",
    "{x: 1}",
    "a,b",
    "key=value",
    "back\\slash",
    "end\\",
    "q\\'q",
    "${HOME}",
    "\\${x}",
    "$x",
    "-dash",
    "#hash",
    "a:b",
    "100%",
    "007",
    "1e3",
    "true",
    " blanks ",
    "new\nline",
    "'quoted'",
    "choice(a,b)",
    "日本語 🙂",
    "a+b@c&d;e|f*?!",
)


def value_of(override: str) -> object:
    """What Hydra and OmegaConf make of an override's value."""
    return OmegaConf.create({"key": OverridesParser.create().parse_override(override).value()}).key


@pytest.mark.parametrize("name", NAMES)
def test_path_reaches_the_configuration_as_typed(name, tmp_path, monkeypatch):
    (quoted,) = quote_paths([f"data.root={name}"], "train", multirun=False)
    if name not in ("'quoted'", "${HOME}", "\\${x}"):  # quotes and interpolations keep their meaning
        assert value_of(quoted) == name
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)  # unless there is such a folder
    for script, key, multirun in (("train", "data.root", True), ("sample", "run", False), ("judge", "train", False)):
        (quoted,) = quote_paths([f"{key}={name}"], script, multirun)
        assert value_of(quoted) == name and unquote(quoted.partition("=")[2]) == name
        assert quote_paths([quoted], script, multirun) == [quoted]  # as stored overrides are typed again


def test_home_is_filled_in():
    (quoted,) = quote_paths(["data.root=~/photos"], "train", False)
    assert value_of(quoted) == str(Path.home() / "photos")
    (quoted,) = quote_paths(["data.root='~/photos'"], "train", False)
    assert value_of(quoted) == str(Path.home() / "photos")
    (quoted,) = quote_paths(["data.root=~nobody-has-this-name/x"], "train", False)
    assert value_of(quoted) == "~nobody-has-this-name/x"


def test_paths_in_lists_of_runs_are_quoted_separately(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").mkdir()
    (quoted,) = quote_paths(["run=[outputs/фото, a,b,o'neil(1)]"], "evaluate", False)
    assert list(value_of(quoted)) == ["outputs/фото", "a,b", "o'neil(1)"]
    (quoted,) = quote_paths(["run=outputs/*"], "evaluate", False)
    assert value_of(quoted) == "outputs/*"


def test_in_a_multirun_a_comma_separates_jobs_unless_the_path_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (quoted,) = quote_paths(["data.root=cats,dogs (2)"], "train", True)
    assert quoted == "data.root='cats','dogs (2)'"
    (tmp_path / "cats,dogs (2)").mkdir()
    (quoted,) = quote_paths(["data.root=cats,dogs (2)"], "train", True)
    assert quoted == "data.root='cats,dogs (2)'"
    (quoted,) = quote_paths(["data.root=choice(a,b)"], "train", True)
    assert quoted == "data.root=choice(a,b)"


def test_other_keys_and_null_are_left_unchanged():
    words = ["seed=1", "resume=null", "~data.root", "regularizer=[l2,r1]", "name=my run", "samples=5"]
    assert quote_paths(words, "train", False) == words
    assert quote_paths(["name=été (2)"], "train", False) == ["name='été (2)'"]


@pytest.mark.parametrize("word", ["data.root=", "data.root=''", 'data.root=""', "data.root= "])
def test_an_empty_path_is_refused(word):
    with pytest.raises(ConfigError, match="the path is empty"):
        quote_paths([word], "train", False)


def test_a_name_that_is_not_utf8_is_refused_in_words():
    with pytest.raises(ConfigError, match="bytes that are not UTF-8"):
        quote_paths(["data.root=caf\udce9"], "train", False)


@pytest.mark.parametrize("text", NAMES)
def test_quote_and_unquote_are_inverse(text):
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("name", ["фото o'neil, a=b (2)[x] ${y}", "1e3"])
def test_folder_of_images_can_be_trained_on_resumed_and_sampled(train, tmp_path, name, monkeypatch, capsys):
    from regen.cli import sample

    root, out = tmp_path / name, tmp_path / f"out {name}"
    root.mkdir()
    for number in range(40):
        Image.new("L", (8, 8), number * 6).save(root / f"{number:02}.png")
    words = ("data=folder", f"data.root={root}", "data.batch_size=4", "data.validation=0.2", "max_iterations=2")
    run = tmp_path / f"{name} run".replace("$", "")  # Hydra itself takes no run folder with ${
    train(*words, f"hydra.run.dir={run}", "metrics=[kernel]", "evaluation_samples=8")
    assert (run / "result.json").exists()
    train(f"resume={run}", "max_iterations=3")
    assert "max_iterations: 3" in (run / "config.yaml").read_text()
    type_in(monkeypatch, sample, f"run={run}", f"out={out}", "n=1", "write=[npz]")
    assert (out / "samples.npz").exists()


@pytest.mark.parametrize("name", ["ru'n (2), ü", "[run]"])
def test_commands_find_runs_with_any_name(tmp_path, name, monkeypatch, capsys):
    from regen.cli import export, report

    made(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    type_in(monkeypatch, export, f"run={name}", "formats=safetensors", f"out={tmp_path}/ex {name}")
    assert (tmp_path / f"ex {name}/model.safetensors").exists()
    type_in(monkeypatch, report, f"run={tmp_path}/{name}", "samples=20")
    assert (tmp_path / name / "report.html").exists()
    shutil.rmtree(tmp_path / name)
