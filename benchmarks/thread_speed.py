"""Compare the speed of training with 1, 2, … threads: python benchmarks/thread_speed.py [--threads 1 2] [--sizes 16 28 32]

For each image size, the bare loop trains the default networks for a few iterations with each number of threads, in turns, so
that other work on the machine slows all of them alike. Prints the median milliseconds of an iteration, and whether the weights
equal those with the first number of threads bit for bit.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Sequence

import bare_loop
import torch
from torch import Tensor

from regen.networks.dcgan import Discriminator, Generator
from regen.utils.randomness import seeded

BATCH_SIZE = 64


def make_networks(size: int) -> tuple[Generator, Discriminator]:
    """Return the default networks of grey images (1, size, size), always with the same weights."""
    with seeded(0):
        return Generator((1, size, size), smallest_map=2), Discriminator((1, size, size), smallest_map=2)


def train(size: int, threads: int, iterations: int) -> tuple[float, list[Tensor]]:
    """Return milliseconds per iteration, and the weights at the end."""
    torch.set_num_threads(threads)
    images = torch.randint(256, (1000, 1, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    networks = make_networks(size)
    batches = bare_loop.batches(images, BATCH_SIZE, 0)
    bare_loop.train(*networks, itertools.islice(batches, 2), 0)  # starts the threads and chooses the kernels
    began = time.perf_counter()
    bare_loop.train(*networks, itertools.islice(batches, iterations), 0)
    spent = time.perf_counter() - began
    return 1000 * spent / iterations, [parameter.detach() for network in networks for parameter in network.parameters()]


def compare(size: int, threads: Sequence[int], iterations: int, rounds: int) -> dict[int, tuple[float, bool]]:
    """Return for each number of threads the median milliseconds, and whether the weights equal those of the first one."""
    times: dict[int, list[float]] = {n: [] for n in threads}
    weights: dict[int, list[Tensor]] = {}
    for _ in range(rounds):
        for n in threads:
            spent, weights[n] = train(size, n, iterations)
            times[n].append(spent)
    first = weights[threads[0]]
    return {n: (statistics.median(times[n]), all(map(torch.equal, weights[n], first))) for n in threads}


def main(given: Sequence[str] | None = None) -> None:
    """Print a line for each image size and number of threads."""
    parser = argparse.ArgumentParser(description="Speed of training with several numbers of threads.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[16, 28, 32], metavar="PIXELS", help="default: 16 28 32"
    )
    parser.add_argument("--iterations", type=int, default=10, metavar="N", help="of a turn (default: 10)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns of each (default: 7)")
    asked = parser.parse_args(given)
    for size in asked.sizes:
        for n, (spent, same) in compare(size, asked.threads, asked.iterations, asked.rounds).items():
            print(f"{size} pixels, {n} threads: {spent:6.1f} ms/iteration, weights {'equal' if same else 'differ'}")


if __name__ == "__main__":
    main()
