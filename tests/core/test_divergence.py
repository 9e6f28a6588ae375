"""Divergence names the term at fault, and finds moments of optimizers that are not finite."""

import json

import pytest
import torch
from helpers.tiny_models import images, make_gan

from regen.core import checkpoint
from regen.core.divergence import bad_moment, find_reason
from regen.core.regularizer import Regularizer
from regen.regularizers.outputs import L2


class Huge(Regularizer):
    """A penalty whose gradient is finite, and whose square is not."""

    def for_d(self, step):
        return 1e30 * step.real_scores.mean()


def trained(iterations: int, **regularizers: Regularizer):
    gan = make_gan(regularizers=regularizers)
    gan.prepare(gan.configure_optimizers())
    for i in range(iterations):
        gan.iterate(torch.stack([images(8, i)]))
    return gan


def test_finite_gradients_that_overflow_the_second_moment_are_found_with_parameter_and_term(tmp_path) -> None:
    gan = trained(1, l2=L2(lambda_d=0.1), huge=Huge(lambda_d=1.0))
    assert all(parameter.isfinite().all() for parameter in gan.parameters())
    reason = bad_moment(gan)
    assert reason.startswith("the optimizer's exp_avg_sq of discriminator.")
    assert reason.endswith("by the gradient of d/huge,")
    with pytest.raises(ValueError, match=r"exp_avg_sq of discriminator\..* is not finite: not saved"):
        checkpoint.save(tmp_path / "x.ckpt", gan)
    assert not (tmp_path / "x.ckpt").exists()


def test_moments_of_an_ordinary_run_are_finite() -> None:
    gan = trained(2, l2=L2(lambda_d=0.1))
    assert bad_moment(gan) is None
    assert find_reason(gan) is None


def test_weights_that_a_penalty_has_made_infinite_are_blamed_on_the_penalty() -> None:
    gan = trained(
        1, huge=Huge(lambda_d=1e8)
    )  # 1e38 times the scores: the next update finds weights that are not finite
    with torch.no_grad():
        next(gan.discriminator.parameters()).fill_(torch.nan)
    gan.iterate(torch.stack([images(8, 1)]))
    assert find_reason(gan)[1] == "d/huge"


def test_run_with_overflowing_moments_diverges_with_finite_checkpoints(train, tmp_path) -> None:
    (tmp_path / "conf/regularizer").mkdir(parents=True)
    code = "from regen.core.regularizer import Regularizer\nclass Huge(Regularizer):\n    def for_d(self, step):\n"
    (tmp_path / "conf/huge.py").write_text(code + "        return 1e30 * step.real_scores.mean()\n")
    (tmp_path / "conf/regularizer/huge.yaml").write_text("huge:\n  _target_: huge.Huge\n  lambda_d: 1.0\n")
    run = train("--config-dir", str(tmp_path / "conf"), "regularizer=huge", "max_iterations=12", status=70)
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "diverged"
    assert "exp_avg_sq of discriminator" in result["reason"]
    assert "d/huge" in result["reason"]
    assert not list(run.glob("checkpoints/*.ckpt"))
