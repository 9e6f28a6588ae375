"""A model with its own way from latents to samples: whatever draws from its run goes through it, or refuses."""

import numpy as np
import pytest
import torch
from helpers.commands import type_in
from helpers.untrained_runs import made

from regen.cli import sample as script
from regen.errors import ConfigError
from regen.export.exported_model import export
from regen.models.gan import GAN
from regen.runs.load import open_run
from regen.sampling import run_samples as draw


class Negative(GAN):
    """A model with its own way from latents to samples."""

    def sample(self, first: int, n: int) -> torch.Tensor:
        return -super().sample(first, n)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A run of such a model, opened."""
    made(tmp_path / "run")
    opened = open_run(tmp_path / "run")
    opened.model.__class__ = Negative
    monkeypatch.setattr(draw, "open_run", lambda *_: opened)
    return opened


def test_own_sample_of_a_model_is_used(own, tmp_path, monkeypatch):
    type_in(monkeypatch, script, f"run={tmp_path / 'run'}", "write=[npz]", "n=5", "batch=2", f"out={tmp_path}/out")
    with np.load(tmp_path / "out/samples.npz") as archive:
        drawn = torch.from_numpy(archive["arr_0"]).permute(0, 3, 1, 2)
    expected = own.model.sample(0, 5).add(1).mul(127.5).round().to(torch.uint8)
    assert (drawn.int() - expected.int()).abs().max() <= 1
    type_in(monkeypatch, script, f"run={tmp_path / 'run'}", "write=[npz]", "n=5", "seed=9", f"out={tmp_path}/other")
    assert (tmp_path / "other/samples.npz").read_bytes() != (tmp_path / "out/samples.npz").read_bytes()


@pytest.mark.parametrize("words", ["write=[interpolation]", "write=[directions]", "write=[sweep]", "truncation=0.5"])
def test_outputs_needing_another_path_to_samples_are_refused(own, tmp_path, monkeypatch, capsys, words):
    type_in(monkeypatch, script, f"run={tmp_path / 'run'}", words, status=78)
    assert "Negative overrides sample()" in capsys.readouterr().err


def test_model_with_own_sample_is_not_exported(own, tmp_path):
    with pytest.raises(ConfigError, match=r"Negative has its own sample\(\) or decode\(\), which no file could hold"):
        export(own, "ema", [], tmp_path / "export")
    assert not (tmp_path / "export").exists()
