"""Every regularizer in conf/regularizer on a flow: it trains one, or is refused with the reason."""

import pytest
import torch
from helpers.regularizer_options import OF_CODES, OF_FLOWS, OPTIONS, neutral, regularizers
from helpers.short_training import load_state, nets, train_on
from helpers.tiny_models import images, make_flow, make_gan, make_vae, same, weights

from regen.errors import ConfigError
from regen.models.build_model import check_step

# On the weights of the network, and on one-step estimates of images
SUITING = sorted(
    OF_FLOWS
    | {"l1", "l2", "l2_literal", "total_variation"}
    | {"weight_l1", "weight_l2", "orthogonal", "orthonormal", "spectral_penalty", "historical_averaging"}
    | {"weight_decay", "weight_l1_proximal", "spectral_norm", "weight_norm", "dropout"}
)

# What lets it act on the flow's network where its defaults act on D
ON_G = {
    **{name: {"lambda_g": 1.0} for name in ("weight_l1", "weight_l2", "orthonormal", "spectral_penalty")},
    **{name: {"nets": ["generator"]} for name in ("spectral_norm", "weight_norm")},
    "weight_decay": {"decay_d": 10.0},
    "weight_l1_proximal": {"shrink_g": 1.0},
}


def trained(name: str | None = None, iterations: int = 3, **values):
    """A flow with this regularizer after a few iterations."""
    flow = make_flow(regularizers=regularizers(name, **(values or ON_G.get(name, {}))) if name else {})
    return train_on(flow, iterations)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in (*SUITING, "none")])
def test_option_that_needs_another_family_is_refused_with_the_reason(name):
    reason = "encoder" if name in OF_CODES else "discriminator|in a single pass"
    with pytest.raises(ConfigError, match=reason):
        check_step(make_flow(regularizers=regularizers(name)), images())


@pytest.mark.parametrize("name", sorted(OF_FLOWS))
@pytest.mark.parametrize("make", [make_gan, make_vae])
def test_option_of_flows_is_refused_by_other_families(name, make):
    with pytest.raises(ConfigError, match=r"a model that is not a flow.* Type model=flow"):
        make(regularizers=regularizers(name))


@pytest.mark.parametrize("name", SUITING)
def test_regularizer_changes_the_trained_weights_and_stays_finite(name):
    flow = trained(name)
    assert not same(nets(flow), nets(trained()))
    assert all(torch.stack(values).isfinite().all() for values in flow.record.by_name().values())


@pytest.mark.parametrize("name", [name for name in SUITING if name not in ("spectral_norm", "weight_norm")])
def test_strength_0_equals_a_flow_without_regularizer_bit_for_bit(name):
    assert same(nets(trained(name, **neutral(name))), nets(trained()))


@pytest.mark.parametrize("name", SUITING)
def test_state_of_regularizer_is_in_the_checkpoint(name):
    before = trained(name)
    restored = load_state(before, trained(name, iterations=1))
    assert same(weights(train_on(restored, 3)), weights(train_on(before, 3)))
