"""The configuration saved with a job: a folder that holds another job, or one of an earlier version, is refused."""

from pathlib import Path

import pytest
from helpers.composition import compose_config

from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.sweeps.job_config import JobConfig


def job(*overrides: str) -> JobConfig:
    return JobConfig(compose_config("data=grid", "network=mlp", *overrides), list(overrides))


def test_equal_job_is_accepted_and_another_one_is_refused_with_the_difference(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    job("regularizer=r1").write(folder)
    job("regularizer=r1").check(folder)
    with pytest.raises(ConfigError, match=r"regularizer\.r1\.lambda_d was 10\.0 and is 2\.0"):
        job("regularizer=r1", "regularizer.r1.lambda_d=2.0").check(folder)


def test_job_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "asked.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"earlier version.*Type another sweep="):
        job("regularizer=r1").check(Folder(tmp_path))
