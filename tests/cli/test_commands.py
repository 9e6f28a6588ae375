"""The command regen, and how commands are typed."""

import importlib
import subprocess
import sys

import pytest

from regen.cli import commands
from regen.utils import program
from regen.utils.project import CONF, ROOT


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['regen', '--help']; from regen.cli.commands import main; main()\n"
        "print(*{'torch', 'hydra', 'numpy', 'omegaconf'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert all(f"  {name.replace('_', '-')} " in done.stdout for name in commands.COMMANDS)


@pytest.mark.parametrize("name", sorted(commands.COMMANDS))
def test_every_command_has_a_module_and_a_script_in_the_clone(name: str) -> None:
    assert callable(importlib.import_module(f"regen.cli.{name}").main)
    assert f'start("{name}")' in (ROOT / f"src/{name}.py").read_text()


def test_every_script_of_the_clone_is_a_command() -> None:
    assert {path.stem for path in (ROOT / "src").glob("*.py")} <= set(commands.COMMANDS)


def test_unknown_command_is_answered_with_the_nearest(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["regen", "trian"])
    with pytest.raises(SystemExit) as left:
        commands.main()
    assert left.value.code == 78 and "(did you mean train?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("zero", "clone", "name", "line"),
    [
        ("src/train.py", ROOT, "train", "python src/sample.py"),
        ("src/wandb_view.py", ROOT, "wandb_view", "python src/sample.py"),
        ("regen wandb-view", ROOT, "wandb_view", "regen sample"),
        ("regen choose", None, "choose", "regen sample"),
        ("my/notebook.py", None, "train", "regen sample"),
    ],
)
def test_commands_are_typed_like_the_running_command(monkeypatch, zero, clone, name, line) -> None:
    monkeypatch.setattr(sys, "argv", [zero])
    monkeypatch.setattr(program, "CLONE", clone)
    assert (program.name(), program.typed("sample")) == (name, line)
    assert program.typed_again(["sample.py", "run=a b"]) == f"{line} 'run=a b'"


def test_errors_and_help_name_the_command_that_was_started(monkeypatch, capsys) -> None:
    for words, stream in ((["lamda_g=1"], "err"), (["--help"], "out")):
        monkeypatch.setattr(sys, "argv", ["regen", "train", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
        try:
            commands.main()
        except SystemExit as left:
            assert left.code in (0, 78)
        shown = getattr(capsys.readouterr(), stream)
        assert "regen train" in shown and "python src/" not in shown


def test_clone_uses_the_conf_folder_of_the_clone() -> None:
    assert ROOT / "conf" == CONF
