"""Would a batched ensemble pay? python src/benchmark_ensemble.py

Trains 24 small GANs (the article's nets, R1, 8 strengths x 3 seeds) twice, in plain PyTorch: one after the other, and all at
once as a batched ensemble (torch.func: stacked weights, vmap over the nets). Prints how far the weights are apart, and the
ratio of their speeds in each of several rounds: with one thread each, and the ensemble with all cores' threads against one
process a core (taken as so many times the speed of one). A ratio of 1.5 on a CPU or 4 on a GPU would make it worth having.
"""

import copy
import itertools
import os
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

import bare
from regen.networks import mlp
from regen.randomness import Draws, seeded

SHAPE, BATCH, ITERATIONS, ROUNDS = (1, 28, 28), 64, 30, 3
RUNS = list(itertools.product([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0], [0, 1, 2]))  # (strength, seed)
CORES = os.cpu_count() or 1
Net = Callable[[dict, Tensor], Tensor]


def nets(seed: int) -> tuple[mlp.Generator, mlp.Discriminator]:
    """The article's pair, its weights keyed by the seed."""
    with seeded(seed, "weights"):
        return mlp.Generator(SHAPE), mlp.Discriminator(SHAPE)


def real(seed: int) -> list[Tensor]:
    """Batches (B, C, H, W) in [-1, 1]; what they show does not matter here."""
    return [Draws(seed, i, "real").uniform(BATCH, *SHAPE) * 2 - 1 for i in range(ITERATIONS)]


def one_after_the_other() -> list[Tensor]:
    """The first weights of each D, trained as src/bare.py does."""
    ended = []
    for strength, seed in RUNS:
        net_g, net_d = nets(seed)
        bare.train(net_g, net_d, [images.clone() for images in real(seed)], seed, r1=strength)
        ended.append(next(net_d.parameters()).detach())
    return ended


def at_once() -> list[Tensor]:
    """The same of the batched ensemble."""
    pairs = [nets(seed) for _, seed in RUNS]
    draw, score = (_called(net) for net in pairs[0])
    of_g, of_d = (
        {name: weight.detach() for name, weight in stack_module_state(list(half))[0].items()}
        for half in zip(*pairs, strict=True)
    )
    adam_g, adam_d = (torch.optim.Adam(list(of.values()), 4e-4, (0.5, 0.999), fused=True) for of in (of_g, of_d))
    step_g, step_d = _gradients(draw, score)
    strengths, streams = torch.tensor([strength for strength, _ in RUNS]), {seed: real(seed) for _, seed in RUNS}
    for i in range(ITERATIONS):
        images = torch.stack([streams[seed][i] for _, seed in RUNS])
        fakes = vmap(draw)(of_g, _latents(i, "d"))
        _update(adam_d, of_d, step_d(of_d, images, fakes, strengths))
        _update(adam_g, of_g, step_g(of_g, of_d, _latents(i, "g")))
    return list(next(iter(of_d.values())))


def _called(net: torch.nn.Module) -> Net:
    """A net as a function of its weights and its input."""
    skeleton = copy.deepcopy(net).to("meta")
    return lambda weights, given: functional_call(skeleton, weights, (given,))


def _gradients(draw: Net, score: Net) -> tuple[Callable[..., dict], Callable[..., dict]]:
    """Those of G's and of D's loss, of all nets at once."""

    def loss_g(of_g: dict, of_d: dict, z: Tensor) -> Tensor:
        return F.softplus(-score(of_d, draw(of_g, z))).mean()

    def loss_d(of_d: dict, images: Tensor, fake: Tensor, strength: Tensor) -> Tensor:
        slope = grad(lambda x: score(of_d, x).sum())(images)
        penalty = slope.square().flatten(1).sum(1).mean() / 2
        return F.softplus(-score(of_d, images)).mean() + F.softplus(score(of_d, fake)).mean() + strength * penalty

    return vmap(grad(loss_g)), vmap(grad(loss_d))


def _latents(iteration: int, player: str) -> Tensor:
    each = {seed: Draws(seed, iteration, player, 0, "z").normal(BATCH, 100) for _, seed in RUNS}
    return torch.stack([each[seed] for _, seed in RUNS])


def _update(adam: torch.optim.Optimizer, of: dict, gradients: dict) -> None:
    for name, parameter in of.items():
        parameter.grad = gradients[name]
    adam.step()


def seconds(work: Callable[[], list[Tensor]], threads: int) -> float:
    """How long it takes."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Print the difference and the ratios."""
    apart = max(float((a - b).abs().max()) for a, b in zip(one_after_the_other(), at_once(), strict=True))
    print(f"{len(RUNS)} GANs, {ITERATIONS} iterations: weights differ by {apart:.1g} at most")
    rounds = []
    for _ in range(ROUNDS):
        separate, alone, threaded = seconds(one_after_the_other, 1), seconds(at_once, 1), seconds(at_once, CORES)
        rounds.append((separate / alone, separate / CORES / threaded))
        print(
            f"one thread {rounds[-1][0]:.2f}, {CORES} cores {rounds[-1][1]:.2f} times the speed of separate runs",
            flush=True,
        )
    print(f"medians: {statistics.median(r[0] for r in rounds):.2f}, {statistics.median(r[1] for r in rounds):.2f}")


if __name__ == "__main__":
    main()
