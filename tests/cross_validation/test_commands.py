"""Every choice that the README, docs and the help type can be made: its fits compose and pass the checks."""

import re
import shlex

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from regen.config import validate
from regen.config.resolvers import register_resolvers
from regen.config.yaml_files import read_options
from regen.cross_validation import parse
from regen.cross_validation.sweep_name import OWN, with_name
from regen.utils.project import ROOT

CONF = ROOT / "conf"
PLACES = ("README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")), "conf/choose.yaml")
TEXTS = {place: (ROOT / place).read_text() for place in PLACES}
TYPED = sorted({line for text in TEXTS.values() for line in re.findall(r"python src/choose\.py (\S[^#`\n]*)", text)})
NODES = read_options("regularizer")


@pytest.mark.parametrize("command", [one.strip() for one in TYPED if "runs=" not in one and "--" not in one])
def test_a_command_asks_for_fits_that_can_be_trained(command):
    overrides = shlex.split(command)
    own = [one for one in overrides if one.partition("=")[0] in OWN]
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        choice = compose("choose", own)
        data = dict(one.partition("=")[::2] for one in overrides).get("data", "digits")
        presets = choice.for_data.get(data) or {}
        given = [*presets.get("typed", []), *overrides]
        if "search" in presets and choice.search is None:
            choice.search = presets.search
        validate.check_choose(choice)
        for one in parse.candidates(parse.parsed(given), NODES, "none", choice):
            for strength in (one.strengths[0], one.strengths[-1]):
                validate.check(compose("train", one.overrides(strength)))
    assert with_name(overrides)[-1].startswith("sweep=")


def test_some_commands_are_looked_at():
    assert len(TYPED) >= 8
    assert OmegaConf.load(CONF / "choose.yaml").folds == 5
