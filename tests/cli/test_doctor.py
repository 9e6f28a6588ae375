"""regen doctor: what is installed, and what works."""

import pytest
import torch

from regen.cli import doctor, gpu_checks


def test_doctor_reports_the_installation_and_trains(capsys) -> None:
    assert doctor.main([]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(lines) >= {"regen", "python", "packages", "extras", "devices", "wandb", "training"}
    assert (
        lines["training"].startswith("passed: 20 iterations")
        and f"torch {torch.__version__.partition('+')[0]}" in lines["packages"]
    )
    assert lines["wandb"] == "WANDB_MODE=offline"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", gpu_checks.CHECKS)
def test_gpu_checks_are_skipped_without_a_gpu(name: str) -> None:
    assert gpu_checks.CHECKS[name]() == "skipped: no GPU"


def test_losses_that_the_gpu_is_compared_by_fall_and_repeat() -> None:
    values = gpu_checks.losses("cpu")
    assert values == gpu_checks.losses("cpu") and values[-1] < values[0]


def test_failed_check_is_named_with_the_error(capsys) -> None:
    def failing() -> str:
        raise RuntimeError("the reason")

    assert doctor._report("a check", failing) == doctor.FAILED
    assert "a check      FAILED: RuntimeError: the reason" in capsys.readouterr().out


def test_wandb_is_looked_up_without_a_network(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert doctor._wandb().startswith("no API key")
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    assert doctor._wandb().startswith("an API key is configured")
