"""The README and the pages of docs/: commands compose, links lead somewhere, and examples of extensions run."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.commands import SMOKE
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import OmegaConf

from regen.cli import regularizers
from regen.config import validate
from regen.config.command_line import split_options
from regen.config.resolvers import register_resolvers
from regen.config.yaml_files import yamls
from regen.errors import ConfigError
from regen.sweeps import override_check
from regen.utils.project import ROOT

DOCS = ROOT / "docs"
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(DOCS.rglob("*.md"))]
TYPED = re.compile(r"^ *((?:python|make) [^`#\n]*)|`((?:python|make) [^`\n]*)`", re.MULTILINE)
OMITTED = (
    "…",
    "--help",
    "--config-dir",
    "-sc ",
    "python -c",
    "src/choose.py",
)  # the last: cross_validation/test_commands.py


def commands() -> set[str]:
    """The commands that a page names, without comments and without those that leave something out."""
    typed = {first or second for page in PAGES for first, second in TYPED.findall(page.read_text())}
    return {one.strip() for one in typed if not any(part in one for part in OMITTED)}


def of_script(name: str) -> list[str]:
    return sorted(one for one in commands() if one.startswith(f"python src/{name}.py"))


@pytest.fixture
def conf():
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def jobs(overrides: list[str]) -> Iterator[list[str]]:
    """The overrides of a sweep's jobs, one for each regularizer, with the first value of every other axis."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    choices = [_values(one) for one in parsed]
    axis = next((i for i, one in enumerate(parsed) if one.key_or_group == "regularizer"), None)
    for i in range(1 if axis is None else len(choices[axis])):
        yield [values[i if k == axis else 0] for k, values in enumerate(choices)]


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line]
    if isinstance(override.value(), IntervalSweep):
        return [f"{override.key_or_group}={override.value().start}"]
    return [f"{override.key_or_group}={value}" for value in override.sweep_string_iterator()]


def can_be_trained(overrides: list[str]) -> bool:
    """Whether a job passes the checks. A sweep leaves a strength out where a regularizer lacks it."""
    try:
        validate.check(compose("train", [one for one in overrides if not one.startswith("resume=")]))
    except ConfigError as error:
        assert "strength" in str(error)
        return False
    return True


@pytest.mark.parametrize("command", of_script("train"))
def test_train_command_composes_and_passes_checks(command, conf):
    options, overrides = split_options(shlex.split(command)[2:])
    override_check.check(options, overrides, yamls("regularizer"))
    own = [one for one in overrides if not one.startswith("hydra")]
    passed = [can_be_trained(job) for job in jobs(own)]
    assert any(passed) and (all(passed) or "-m" in options)


@pytest.mark.parametrize(
    "name", ["compare", "downstream", "evaluate", "export", "judge", "report", "sample", "stability", "wandb_view"]
)
def test_commands_of_other_programs_compose(name, conf):
    typed = of_script(name)
    assert typed
    for command in typed:
        compose(name, shlex.split(command)[2:])


def test_commands_of_the_catalogue_find_regularizers(capsys):
    for command in of_script("regularizers"):
        assert regularizers.main(shlex.split(command)[2:]) == 0


def test_programs_and_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in commands():
        program, *words = [*shlex.split(command), "help"]
        assert (ROOT / words[0]).is_file() if program == "python" else words[0] in targets, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path = target.partition("#")[0]
        assert not path or target.startswith("http") or (page.parent / path).exists(), target


def test_modules_of_the_api_reference_exist():
    names = re.findall(r"automodule:: (\S+)", (DOCS / "api.md").read_text())
    assert names and [name for name in names if find_spec(name) is None] == []


def test_readme_is_short_and_names_every_page():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    listed = (DOCS / "index.md").read_text().split()
    assert {path.stem for path in DOCS.glob("*.md")} - {"index"} <= set(listed)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that docs/extending.md makes."""
    folder = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"```(?:python|yaml)\n# (mine/\S+)\n(.*?)```", (DOCS / "extending.md").read_text(), re.DOTALL)
    assert len(blocks) == 10
    for name, text in blocks:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "mine"


@pytest.mark.parametrize(
    "command",
    re.findall(r"^python src/train\.py --config-dir mine (.*)$", (DOCS / "extending.md").read_text(), re.MULTILINE),
)
def test_example_of_an_extension_trains(command, train, mine):
    small = [*SMOKE, "max_iterations=2", *([] if "metrics" in command else ["metrics=[frechet]"])]
    small = [one for one in small if one.partition("=")[0] not in command]
    run = train("--config-dir", str(mine), *small, *shlex.split(command), smoke=False)
    config = OmegaConf.load(run / "config.yaml")
    key, _, option = shlex.split(command)[0].partition("=")
    assert option.strip("[]").split(",")[-1] in OmegaConf.to_yaml(config[key])
