"""Small generators of photographs, of wide quality: one short run of each setting, sampled at several iterations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

import regen
from ladder.rungs import Rung
from regen.data.batches import Stream
from regen.data.split import as_float
from regen.metrics.gaussian_baseline import to_bytes
from regen.models.base import Model
from regen.models.build_model import make_model

SAMPLES = 500
BATCH = 32
Recipe = tuple[str, Sequence[str], Sequence[int]]  # name, overrides, iterations at which samples are drawn


def _dcgan(width: int, *others: str) -> list[str]:
    return [f"network.generator.width={width}", f"network.discriminator.width={width}", "network=dcgan", *others]


# Settings by which features and their size may be chosen, and others to confirm the choice.
TUNED: Sequence[Recipe] = (
    ("dcgan 16", _dcgan(16), (50, 150, 400, 1000)),
    ("dcgan 16, r1", _dcgan(16, "regularizer=r1"), (100, 300, 800, 1600)),
    ("dcgan 16, diffaugment", _dcgan(16, "regularizer=diffaugment"), (200, 600, 1500)),
    ("mlp", ["network=mlp"], (100, 600, 2000)),
    ("vae, dcgan", ["model=vae", "network=dcgan"], (60, 250, 1000)),
    ("flow, mlp", ["model=flow", "network=mlp"], (300, 2000)),
    ("rae, mlp", ["model=rae", "network=mlp"], (300, 1500)),
)
FRESH: Sequence[Recipe] = (
    ("dcgan 32, r1", _dcgan(32, "regularizer=r1"), (60, 200, 450)),
    ("dcgan 24, hinge, spectral norm", _dcgan(24, "loss=hinge", "regularizer=spectral_norm"), (50, 150, 400, 700)),
    ("dcgan 12, relativistic, r1_r2", _dcgan(12, "loss=relativistic", "regularizer=r1_r2"), (100, 300, 600)),
    ("dcgan 16, 200 photographs", _dcgan(16, "data.subset=200"), (100, 400, 900)),
    ("mlp 256, r1", ["network=mlp", "network.generator.hidden=[256,256]", "regularizer=r1"], (50, 200, 800)),
    ("vae, mlp", ["model=vae", "network=mlp", "lambda_g=0.3"], (30, 100, 800)),
    ("rae, dcgan", ["model=rae", "network=dcgan"], (100, 600)),
)
# The fresh ones with the optimizers of the digits, which make DCGANs of photographs noisy: no generator is near real images.
NOISY: Sequence[Recipe] = tuple(
    (name, [*overrides, "tuned=gan_dcgan_digits"] if name.startswith("dcgan") else overrides, lengths)
    for name, overrides, lengths in FRESH
)
# and their seed
GROUPS: Mapping[str, tuple[Sequence[Recipe], int]] = {"tuned": (TUNED, 0), "fresh": (FRESH, 1), "noisy": (NOISY, 1)}


def sampled(rung: Rung, recipes: Sequence[Recipe], seed: int = 0, n: int = SAMPLES) -> Iterator[tuple[str, Tensor]]:
    """Names and n images (n, C, H, W) uint8 of the averaged generator, of every recipe and number of iterations.

    The generators are trained on the training part of the data set, 32 images in a batch.
    """
    for name, overrides, lengths in recipes:
        model, stream = _start(rung, overrides, seed)
        train = rung.data.train
        for iteration in range(max(lengths)):
            batches = stream.indices(iteration, 1)[0]
            model.iterate([as_float(train[indices][0]) for indices in batches])
            if iteration + 1 in lengths:
                model.settle(train)
                yield f"{name}, {iteration + 1:,} iterations", to_bytes(model.sample(0, n))


def _start(rung: Rung, overrides: Sequence[str], seed: int) -> tuple[Model, Stream]:
    """An untrained model and the order in which it sees the training images, the first `data.subset` of them if given."""
    use = ["data=folder", f"data.batch_size={BATCH}", f"seed={seed}", "logger=csv"]
    cfg = regen.compose([*use, *overrides])
    model = make_model(cfg, rung.data)
    model.prepare(model.configure_optimizers())
    return model, Stream(cfg.data.subset or len(rung.data.train), BATCH, model.n_critic, seed)
