"""The limit that training is measured against: one GAN in plain PyTorch, tuned by hand, with nothing around it.

No Lightning, no Hydra, no log, no moving average. For what it trains (nonsaturating loss, Adam, optionally R1) it draws what
regen draws, so that both end with the same weights bit for bit; everything else is written as one would without regen.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regen.utils.randomness import Draws, generator

ADAM = {"lr": 4e-4, "betas": (0.5, 0.999)}


def batches(images: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    """Images (N, C, H, W) uint8 -> without end (size, C, H, W) in [-1, 1]: pass after pass, each shuffled."""
    order, passes = torch.empty(0, dtype=torch.int64), 0
    while True:
        while len(order) < size:
            shuffled = torch.randperm(len(images), generator=generator(seed, "order", passes))
            order, passes = torch.cat([order, shuffled]), passes + 1
        chosen, order = order[:size], order[size:]
        yield images.index_select(0, chosen).to(torch.float32).div_(127.5).sub_(1)


def train(
    net_g: nn.Module,
    net_d: nn.Module,
    stream: Iterable[Tensor],
    seed: int,
    r1: float = 0.0,
    reuse_fake: bool = False,
    for_g: Mapping[str, Any] = ADAM,
    for_d: Mapping[str, Any] = ADAM,
) -> None:
    """Train on every batch (B, C, H, W) of the stream: D, then G; with reuse_fake G learns from the fakes that D saw.

    for_g, for_d   learning rate and betas of the two optimizers
    """
    of_g, of_d = list(net_g.parameters()), list(net_d.parameters())
    adam_g, adam_d = (torch.optim.Adam(own, **adam, fused=True) for own, adam in ((of_g, for_g), (of_d, for_d)))
    for iteration, real in enumerate(stream):
        for parameter in of_d:
            parameter.requires_grad_(True)
        real_scores = net_d(real.requires_grad_(r1 > 0))
        if r1:  # one pass of D for the scores and their input gradients
            (gradient,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
        with torch.set_grad_enabled(reuse_fake):
            fake = net_g(Draws(seed, iteration, "d", 0, "z").normal(len(real), 100))
        loss = F.softplus(-real_scores).mean() + F.softplus(net_d(fake.detach())).mean()
        if r1:
            loss = loss + r1 * (gradient.square().flatten(1).sum(1).mean() / 2)
        adam_d.zero_grad(set_to_none=True)
        loss.backward(inputs=of_d)  # without inputs=, gradients would be computed through to the images
        adam_d.step()

        for parameter in of_d:
            parameter.requires_grad_(False)
        if not reuse_fake:
            fake = net_g(Draws(seed, iteration, "g", 0, "z").normal(len(real), 100))
        loss = F.softplus(-net_d(fake)).mean()
        adam_g.zero_grad(set_to_none=True)
        loss.backward(inputs=of_g)
        adam_g.step()
