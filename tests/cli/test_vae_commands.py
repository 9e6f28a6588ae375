"""Every command of the first block of docs/vae.md, typed as it is there but short."""

import re
import shlex

import pytest

from regen.utils.json_files import read_json
from regen.utils.project import ROOT

SECTION = (ROOT / "docs/vae.md").read_text().partition("\n## ")[0]
COMMANDS = re.findall(r"^python src/train\.py (model=vae .*?)(?:  +#.*)?$", SECTION, re.MULTILINE)


def test_page_has_commands():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_command_trains_and_measures_the_bound(train, command):
    folder = train(*shlex.split(command), "max_iterations=2", "metrics=[elbo]", "data.subset=100")
    result = read_json(folder / "result.json")
    assert result["status"] == "finished" and {"val/elbo_nats", "gap/elbo_nats_se"} <= result["figures"].keys()
