"""Extra forward passes leave the state of a network unchanged."""

import pytest
import torch
from helpers.tiny_models import same
from torch import nn
from torch.nn.utils import parametrizations

from regen.core.forward import apart, still


def net() -> nn.Module:
    """In training, with running state of every kind that the project's nets have."""
    first = nn.Linear(3, 4)
    first.weight.data = torch.eye(4, 3) + 0.01 * torch.arange(12.0).view(4, 3)  # whose power iteration has long to go
    layers = nn.Sequential(parametrizations.spectral_norm(first), nn.BatchNorm1d(4), nn.Linear(4, 1))
    layers(batch() - 2)
    return layers


def batch() -> torch.Tensor:
    return torch.arange(15.0).view(5, 3).square() / 100


def state(layers: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in layers.state_dict().items()}


@pytest.mark.parametrize("inside", [still, apart])
def test_extra_pass_changes_no_state_and_leaves_the_net_in_training(inside):
    layers = net()
    before = state(layers)
    with inside(layers):
        layers(batch())
    assert same(state(layers), before)
    layers(batch())
    changed = {name for name, tensor in state(layers).items() if not torch.equal(tensor, before[name])}
    assert {"1.running_mean", "1.running_var", "1.num_batches_tracked"} < changed  # and the vectors of spectral norm
    assert any(name.startswith("0.parametrizations") for name in changed)


def test_still_pass_normalises_by_the_batch_and_separate_pass_by_running_statistics():
    layers, inner = net(), torch.arange(8.0).view(2, 4)
    norm = layers[1]
    with still(layers):
        assert torch.allclose(norm(inner), (inner - inner.mean(0)) / (inner.var(0, correction=0) + norm.eps).sqrt())
    with apart(layers):
        assert torch.allclose(norm(inner), (inner - norm.running_mean) / (norm.running_var + norm.eps).sqrt())


@pytest.mark.parametrize("inside", [still, apart])
def test_a_net_that_is_not_in_training_is_left_so(inside):
    layers = net().eval()
    expected = layers(batch())
    with inside(layers):
        assert torch.equal(layers(batch()), expected)
    assert not any(module.training for module in layers.modules())
