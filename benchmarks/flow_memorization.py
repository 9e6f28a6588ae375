"""When does a flow memorize its training images? Reads finished runs of experiment=flow_memorization and draws a picture.

    benchmarks/flow_memorization.py outputs/sweeps/flow_memorization docs/flow_memorization.png

For each run: the iteration of good samples (val/skill reaches GOOD for the first time) and that of copies (the share of
samples that are copies reaches COPIED), both interpolated between evaluations. Prints a table and the least-squares slopes of
log(iteration) on log(number of training images), with standard errors. Bonnaire et al. 2025 report slopes of 0 and 1.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

GOOD, COPIED = 0.5, 0.1


def first_time(rows: list[dict[str, str]], name: str, level: float) -> float:
    """Return the iteration at which a figure first reaches the level, by linear interpolation; nan if it does not."""
    before, value_before = 0.0, 0.0
    for row in rows:
        iteration, value = float(row["iteration"]), float(row[name])
        if value >= level:
            share = (level - value_before) / (value - value_before)
            return before + max(0.0, share) * (iteration - before)
        before, value_before = iteration, value
    return float("nan")


def read_run(folder: Path) -> tuple[int, int, float, float]:
    """Return the number of training images, the seed, and the iterations of good samples and of copies."""
    config = OmegaConf.load(folder / "config.yaml")
    with open(folder / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/skill")]
    good, copied = first_time(rows, "val/skill", GOOD), first_time(rows, "gap/copies", COPIED)
    return int(config.data.subset), int(config.seed), good, copied


def slope(sizes: np.ndarray, times: np.ndarray) -> tuple[float, float, float]:
    """Return slope and intercept of log(times) on log(sizes), and the slope's standard error."""
    known = np.isfinite(times)
    x, y = np.log(sizes[known]), np.log(times[known])
    (a, b), covariance = np.polyfit(x, y, 1, cov=True)
    return float(a), float(b), float(covariance[0, 0] ** 0.5)


def draw(runs: np.ndarray, path: Path) -> None:
    """Draw both times against the number of training images."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), dpi=130)
    for column, name, colour in (
        (2, f"skill {GOOD}", "tab:blue"),
        (3, f"{COPIED:.0%} of the samples are copies", "tab:red"),
    ):
        a, b, error = slope(runs[:, 0], runs[:, column])
        axes.plot(runs[:, 0], runs[:, column], "o", color=colour, alpha=0.6)
        sizes = np.unique(runs[:, 0])
        axes.plot(sizes, np.exp(b) * sizes**a, color=colour, label=f"{name}: slope {a:.2f} ± {error:.2f}")
        print(f"{name}: slope of log(iteration) on log(images) {a:.3f} ± {error:.3f}, {len(runs)} runs")
    axes.set(xscale="log", yscale="log", xlabel="training images", ylabel="iterations")
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw when flows of experiment=flow_memorization memorize.")
    parser.add_argument("sweep", type=Path, help="folder of finished runs")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args(arguments)
    folders = sorted(path.parent for path in options.sweep.glob("*/metrics.csv"))
    if len({OmegaConf.load(folder / "config.yaml").data.subset for folder in folders}) < 3:
        parser.error(f"{options.sweep} has no runs with three or more numbers of training images (data.subset)")
    runs = np.array(sorted(map(read_run, folders)), dtype=float)
    print("images  seed  good samples  copies")
    for size, seed, good, copied in runs:
        print(f"{size:6.0f}  {seed:4.0f}  {good:12.0f}  {copied:6.0f}")
    draw(runs, options.picture)


if __name__ == "__main__":
    main()
