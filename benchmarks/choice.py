"""Simulate the choice of a strength: how often the pick is right, how often "helps" is claimed, and at what price.

    python benchmarks/choice.py [--repetitions 400] [--only NAME]

Every figure of docs/choose.md about the choice itself comes from here. Scores are drawn from a known law: seven strengths,
0 first, with true means `delta` at 0 and a valley among the others. The noise of a fit has a standard deviation of 1, which
is the unit, and so has the difficulty of a round.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from score_bank import Bank

from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Fit, Round, Score, Table
from regen.cross_validation.selection import best_row
from regen.cross_validation.significance import confidence_set, p_value

Losses = np.ndarray  # (strengths, rounds), inf: diverged
ROUNDS, FOLDS, LEVEL = 15, 5, 0.05
NOISE: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "Student t, 2 degrees": lambda rng, shape: rng.standard_t(2, shape),
    "lognormal": lambda rng, shape: np.exp(rng.normal(size=shape)) - 1,
    "10 % ruined": lambda rng, shape: rng.normal(size=shape) + 20 * (rng.random(shape) < 0.1),
    "5 % diverge": lambda rng, shape: np.where(rng.random(shape) < 0.05, np.inf, rng.normal(size=shape)),
    "15 % diverge": lambda rng, shape: np.where(rng.random(shape) < 0.15, np.inf, rng.normal(size=shape)),
}


def valley(others: int = 6, delta: float = 3.0, slope: float = 1.0, lowest: int = 2) -> np.ndarray:
    """(1 + others,) true means: `delta` at 0, then 0 at the best strength and `slope` more a step on either side of it."""
    return np.r_[delta, slope * np.abs(np.arange(others) - lowest)]


def draw(rng: np.random.Generator, means: np.ndarray, noise: str = "normal", rounds: int = ROUNDS) -> Losses:
    """Losses of a table of rounds that share neither seed nor fold."""
    return means[:, None] + rng.normal(size=rounds) + NOISE[noise](rng, (len(means), rounds))


def crossed(rng: np.random.Generator, seeds: float, folds: float, strengths: int = 7) -> Losses:
    """Losses without any effect of the 5 folds x 3 seeds, crossed, of version 0.1: interactions recur in several rounds."""
    of_seeds = np.repeat(seeds * rng.normal(size=(strengths, 3)), FOLDS, axis=1)
    of_folds = np.tile(folds * rng.normal(size=(strengths, FOLDS)), 3)
    return of_seeds + of_folds + rng.normal(size=ROUNDS) + rng.normal(size=(strengths, ROUNDS))


def fresh(rng: np.random.Generator, seeds: float, folds: float, strengths: int = 7) -> Losses:
    """The same interactions where every round has its own seed and its own fold (of a new partition each cycle)."""
    interactions = rng.normal(size=(strengths, ROUNDS)) * np.hypot(seeds, folds)
    return interactions + rng.normal(size=ROUNDS) + rng.normal(size=(strengths, ROUNDS))


def table(losses: Losses, rounds: int | None = None) -> Table:
    """The table of losses; strengths are 0, 1, 2, …"""
    scores = {
        Fit((float(k),), r, r): Score(losses[k, r] if np.isfinite(losses[k, r]) else np.nan)
        for k in range(len(losses))
        for r in range(rounds or losses.shape[1])
    }
    return Table(scores)


def fewest_diverged_then_mean(losses: Losses) -> int:
    """The estimator of version 0.1."""
    means = [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.inf for row in losses]
    return int(np.lexsort((means, np.isinf(losses).sum(1)))[0])


def mean(losses: Losses) -> int:
    return int(np.argmin([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.inf for row in losses]))


def median(losses: Losses) -> int:
    return int(np.median(losses, axis=1).argmin())


def mean_rank(losses: Losses) -> int:
    return best_row(table(losses))


def race(losses: Losses, level: float = LEVEL, stop_early: bool = True) -> Race:
    """Run a race over the losses, which are looked up as fits are asked for."""
    rounds = [Round(r, r) for r in range(losses.shape[1])]
    made = Race([(float(k),) for k in range(len(losses))], rounds, level, stop_early)
    while fits := made.next():
        for fit in fits:
            loss = losses[int(fit.strength[0]), fit.fold]
            made.record(fit, Score(loss if np.isfinite(loss) else np.nan))
    return made


def pick(raced: Race) -> int:
    """The number of the strength with the smallest mean rank."""
    made = Table(raced.scores)
    return int(made.strengths[best_row(made)][0])


def helps(raced: Race) -> bool:
    found = Table(raced.scores)
    return p_value(found, found.off) <= raced.schedule.level


def share(values: list[bool]) -> str:
    """0.95 ± 0.01, the share and its standard error."""
    p = float(np.mean(values))
    return f"{p:.3f} ± {np.sqrt(max(p * (1 - p), 1 / len(values)) / len(values)):.3f}"


def picks(rng: np.random.Generator, n: int) -> None:
    """Share of picks within one step of the best, by estimator and noise."""
    estimators = [fewest_diverged_then_mean, mean, median, mean_rank]
    print("| noise | step costs | " + " | ".join(one.__name__.replace("_", " ") for one in estimators) + " | race |")
    print("|---" * (len(estimators) + 3) + "|")
    for noise in NOISE:
        for slope in (1.0, 0.5):
            drawn = [draw(rng, valley(slope=slope), noise) for _ in range(n)]
            found = [share([abs(one(losses) - 3) <= 1 for losses in drawn]) for one in estimators]
            raced = share([abs(pick(race(losses)) - 3) <= 1 for losses in drawn])
            print(f"| {noise} | {slope:g} | {' | '.join(found)} | {raced} |", flush=True)


def levels(rng: np.random.Generator, n: int) -> None:
    """How often "helps" is claimed without an effect: at most 0.05."""
    unequal = np.array([1, 3, 1, 0.3, 1, 3, 1])[:, None]
    nulls: dict[str, Callable[[], Losses]] = {
        "seed interaction 0.5, 5 x 3 crossed (version 0.1)": lambda: crossed(rng, 0.5, 0),
        "seed interaction 1, 5 x 3 crossed (version 0.1)": lambda: crossed(rng, 1, 0),
        "fold interaction 1, 5 x 3 crossed (version 0.1)": lambda: crossed(rng, 0, 1),
        "seed interaction 0.5": lambda: fresh(rng, 0.5, 0),
        "seed interaction 1": lambda: fresh(rng, 1, 0),
        "fold interaction 0.5": lambda: fresh(rng, 0, 0.5),
        "fold interaction 1": lambda: fresh(rng, 0, 1),
        "normal": lambda: draw(rng, np.zeros(7)),
        "unequal noise (0.3 to 3)": lambda: unequal * rng.normal(size=(7, ROUNDS)),
        "unequal noise, 0 quietest": lambda: np.r_[0.3, [3] * 6][:, None] * rng.normal(size=(7, ROUNDS)),
        "unequal noise, 0 loudest": lambda: np.r_[3, [0.3] * 6][:, None] * rng.normal(size=(7, ROUNDS)),
        "ties": lambda: np.round(draw(rng, np.zeros(7))),
        **{noise: lambda noise=noise: draw(rng, np.zeros(7), noise) for noise in list(NOISE)[1:]},
    }
    print("| null | full table | race |\n|---|---|---|")
    for name, null in nulls.items():
        drawn = [null() for _ in range(n)]
        full = share([p_value(table(one), 0) <= LEVEL for one in drawn])
        print(f"| {name} | {full} | {share([helps(race(one)) for one in drawn])} |", flush=True)


def racing(rng: np.random.Generator, n: int) -> None:
    """What a race drops, claims and costs, next to the full table of 15 rounds and the 2 x 3 crossed fits of version 0.1."""
    print("| delta | step costs | best dropped | best and neighbours dropped | helps, 6 rounds | full | race | price |")
    print("|---|---|---|---|---|---|---|---|")
    for delta, slope in ((0, 0), (0.8, 0.3), (1.2, 0.5), (2, 0.5), (2, 1.0), (3, 1.0)):
        drawn = [draw(rng, valley(delta=delta, slope=slope)) for _ in range(n)]
        raced = [race(one) for one in drawn]
        gone = [(3.0,) in one.dropped for one in raced]
        all_gone = [all((float(k),) in one.dropped for k in (2, 3, 4)) for one in raced]
        few, full = ([p_value(table(one, rounds), 0) <= LEVEL for one in drawn] for rounds in (6, None))
        price = np.mean([len(one.scores) for one in raced]) / drawn[0].size
        figures = [share(one) for one in (gone, all_gone, few, full, [helps(one) for one in raced])]
        print(f"| {delta} | {slope} | {' | '.join(figures)} | {price:.2f} |", flush=True)


def designs(rng: np.random.Generator, n: int) -> None:
    """Power by price: numbers of strengths over the same three decades, and of rounds."""
    print("| strengths | rounds | helps | within half a decade | fits | helps a 100 fits |\n|---|---|---|---|---|---|")
    for others in (3, 4, 6, 8):
        at = np.linspace(0, 3, others)
        for rounds in (9, 12, 15, 18, 24):
            best = rng.uniform(0.5, 2.5, n)
            drawn = [draw(rng, np.r_[1.2, 0.8 * np.abs(at - one)], rounds=rounds) for one in best]
            raced = [race(one) for one in drawn]
            claimed = [helps(one) for one in raced]
            chosen = [pick(one) for one in raced]
            near = [k > 0 and abs(at[k - 1] - one) <= 0.5 for k, one in zip(chosen, best, strict=True)]
            fits = np.mean([len(one.scores) for one in raced])
            figures = f"{share(claimed)} | {share(near)} | {fits:.0f} | {100 * np.mean(claimed) / fits:.2f}"
            print(f"| {others} | {rounds} | {figures} |", flush=True)


def banks(rng: np.random.Generator, n: int) -> None:
    """Choices from 15 rounds of real trainings against the answer of all of them: 20 repetitions a bank.

    The rounds of the grid's bank are used once, those of digits are drawn with replacement.
    """
    for path in sorted((Path(__file__).parent / "banks").iterdir()):
        bank = Bank.load(path)
        losses = -bank.scores if bank.higher_is_better else bank.scores
        losses = np.where(np.isfinite(losses), losses, np.inf).astype(float)
        _bank(path.stem, losses, bank, rng)


def _bank(name: str, losses: np.ndarray, bank: Bank, rng: np.random.Generator) -> None:
    rounds, repetitions = losses.shape[1], 20
    whole = table(losses[:, :, -1])
    best, truth = best_row(whole), p_value(whole, 0) <= LEVEL
    near = [best - 1, best, best + 1]
    order = (
        rng.permutation(rounds) if rounds >= repetitions * ROUNDS else rng.integers(rounds, size=repetitions * ROUNDS)
    )
    draws = [losses[:, order[ROUNDS * i : ROUNDS * (i + 1)]] for i in range(repetitions)]
    print(f"\n{name}: {rounds} rounds; best {bank.strengths[best]:g}, helps: {truth}\n")
    titles = ("answer", "pick within one step of the best", "set holds the best", "claim", "all three", "price")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for title, stop_early in (("full table", False), ("race", True)):
        raced = [race(one[:, :, -1], stop_early=stop_early) for one in draws]
        picked = [(pick(one) if helps(one) else 0) in near for one in raced]
        sets = [confidence_set(Table(one.scores), one.schedule.level) for one in raced]
        held = [(float(best),) in one for one in sets]
        claims = [helps(one) == truth for one in raced]
        every = np.logical_and.reduce([picked, held, claims])
        counts = " | ".join(f"{sum(one)} of {repetitions}" for one in (picked, held, claims, every))
        print(f"| {title} | {counts} | {np.mean([len(one.scores) for one in raced]) / (len(losses) * ROUNDS):.2f} |")
    print(
        "\n| iterations | best of all rounds | picks from 15 rounds within one step of the best at the end |\n|---|---|---|"
    )
    for place, iterations in enumerate(bank.iterations):
        early = [best_row(table(one[:, :, place])) in near for one in draws]
        at = bank.strengths[best_row(table(losses[:, :, place]))]
        print(f"| {iterations} | {at:g} | {sum(early)} of {repetitions} |", flush=True)


PARTS = {one.__name__: one for one in (picks, levels, racing, designs, banks)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--only", choices=PARTS)
    asked = parser.parse_args()
    for name, part in PARTS.items():
        if asked.only in (None, name):
            print(f"\n## {part.__doc__}\n")
            part(np.random.default_rng(0), asked.repetitions)


if __name__ == "__main__":
    main()
