"""Every option of metrics/features= makes a source of features."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from regen.config.instantiate import build
from regen.errors import ConfigError
from regen.metrics.features import Source

OPTIONS = sorted((Path(__file__).resolve().parents[3] / "conf" / "metrics" / "features").glob("*.yaml"))


@pytest.mark.parametrize("file", OPTIONS, ids=lambda file: file.stem)
def test_every_option_makes_a_source_or_reports_a_missing_requirement(file):
    try:
        assert isinstance(build(OmegaConf.load(file), "metrics.features", Source), Source)
    except ConfigError as error:
        assert file.stem == "module"
        assert "metrics.features.net={_target_: FILE.CLASS}" in str(error)
