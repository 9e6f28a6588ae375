"""Every regularizer in conf/regularizer on every family: it trains, or is refused in words; docs/flow.md has the table."""

import math
import re

import pytest
import torch
from helpers.regularizer_options import OF_CLASSES, OPTIONS, regularizers
from helpers.tiny_models import images, make_flow, make_gan, make_vae, make_vae_gan

from regen.errors import ConfigError
from regen.models.build_model import check_step
from regen.utils.project import ROOT

FAMILIES = {"gan": make_gan, "vae": make_vae, "vae_gan": make_vae_gan, "flow": make_flow}
ON_G = {name: {"nets": ["generator"]} for name in ("spectral_norm", "weight_norm")}  # VAEs and flows have no D
NAMES = [name for name in OPTIONS if name != "none"]
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs/flow.md").read_text(), re.MULTILINE))


def outcome(name: str, family: str) -> str:
    """ "yes" if the family trains two batches with the regularizer, or "no" if it refuses the regularizer in words.

    "conditional" is a refusal by a model without classes; test_every_conditional_option.py trains a conditional GAN.
    """
    try:
        model = FAMILIES[family](
            regularizers=regularizers(name, **(ON_G.get(name, {}) if family in ("vae", "flow") else {}))
        )
        check_step(model, images())
    except ConfigError as error:
        assert 40 < len(str(error)) < 500
        return "conditional" if name in OF_CLASSES and family in ("gan", "vae_gan") else "no"
    for number in range(2):
        losses = model.iterate([images(number=number)] * model.n_critic)
        assert all(math.isfinite(loss) for loss in torch.stack(losses).tolist())
    return "yes"


@pytest.mark.parametrize("name", NAMES)
def test_regularizer_trains_or_is_refused_on_each_family_as_the_table_says(name):
    outcomes = " | ".join(outcome(name, family) for family in FAMILIES)
    assert ROWS.get(name) == outcomes, f"type into docs/flow.md: | `{name}` | {outcomes} |"
