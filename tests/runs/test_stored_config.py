"""Configurations that runs have stored."""

import pytest

from regen.errors import ConfigError
from regen.runs.stored_config import read_config


@pytest.mark.parametrize("key", ["slope", "dynamics", "chunk", "share_every"])
def test_config_of_earlier_version_is_refused_in_words(tmp_path, key: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"seed: 0\n{key}: null\n")
    with pytest.raises(ConfigError, match=f"{key}.* earlier version of regen"):
        read_config(path)
