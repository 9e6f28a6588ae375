"""The null distribution of memorization is computed once for the same real images."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import nn

from regen.data.split import Split
from regen.metrics.held_out_null import HeldOutNull
from regen.metrics.image_set import ImageSet
from regen.utils.randomness import Draws


class WithoutSearch(HeldOutNull):
    """Fails where the null distribution is not in the cache."""

    def _compute(self, held_out):
        raise AssertionError("the search was repeated")


def image_set(purpose: str, n: int = 60) -> ImageSet:
    """n random images (n, 1, 16, 16)."""
    return ImageSet(Split((Draws(purpose).uniform(n, 1, 16, 16) * 256).to(torch.uint8)), nn.Identity())


def test_cached_null_equals_computed_null(tmp_path):
    training, held_out, fake = image_set("training"), image_set("held-out", 20), image_set("fake", 10)
    computed = HeldOutNull(training, held_out, mirror=False)
    HeldOutNull(training, held_out, mirror=False, cache=tmp_path)
    cached = WithoutSearch(training, held_out, mirror=False, cache=tmp_path)
    assert cached.rows.equal(computed.rows)
    assert cached.search.scale == computed.search.scale
    matches = [null.search.matches(fake) for null in (cached, computed)]
    for pair in (matches, (cached.matches, computed.matches)):
        assert all(getattr(pair[0], field.name).equal(getattr(pair[1], field.name)) for field in fields(pair[0]))
    assert cached.rows_of(fake, matches[0]).equal(computed.rows_of(fake, matches[1]))


@pytest.mark.parametrize(
    "others",
    [
        {"training": image_set("training", 59)},
        {"held_out": image_set("other held-out images", 20)},
        {"mirror": True},
    ],
    ids=lambda others: next(iter(others)),
)
def test_cached_null_of_other_images_is_not_read(others, tmp_path: Path):
    setting = {"training": image_set("training"), "held_out": image_set("held-out", 20), "mirror": False}
    HeldOutNull(**setting, cache=tmp_path)
    HeldOutNull(**setting | others, cache=tmp_path)
    assert len(list(tmp_path.glob("references/memorization-*.pt"))) == 2
