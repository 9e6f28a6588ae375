"""Draw downstream accuracies against the strength of a regularizer: benchmarks/downstream_path.py SWEEP PICTURE [STRENGTH]

Reads the runs of a sweep that `src/downstream.py task=[cas,augment]` has measured. STRENGTH (default: r1.lambda_d) names the
strength; runs that differ in other regularizers are separate series. Prints a table and draws a picture. A method is drawn at
its largest number of labels, with the standard errors of one run.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from regen.plotting.strength_plot import StrengthPoint, draw_series, draw_strength_axis
from regen.utils.json_files import read_json

# Titles and methods by task
DRAWN = {
    "cas": ("trained on generated images (cas)", ("generated",)),
    "augment": ("trained on real and generated images (augment)", ("real + generated", "real + classical + generated")),
}
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


def read_run(folder: Path, key: str) -> tuple[float, str, dict[tuple[str, str], dict]]:
    """Return the strength, the run's regularizers, and its scores by task and method; no scores without the strength."""
    config = OmegaConf.load(folder / "config.yaml")
    strength = OmegaConf.select(config, f"regularizer.{key}")
    scores: dict[tuple[str, str], dict] = {}
    if not isinstance(strength, int | float):
        return math.nan, "", scores
    for record in read_json(folder / "result.json").get("downstream", []):
        if float(record.get("settings", {}).get("imbalance", 1)) != 1:
            continue  # another task
        for score in sorted(record["scores"], key=lambda score: score["labels"]):
            scores[record["task"], score["method"]] = score
    return float(strength), " + ".join(config.regularizer), scores


def position(strength: float, strengths: Sequence[float]) -> float:
    """Return the place of a strength on the axis: one step for each."""
    return float(sorted(strengths).index(strength))


def series(runs: Sequence[tuple], task: str, method: str, strengths: Sequence[float]) -> list[StrengthPoint]:
    """Return the points of one method in percent, by strength."""
    return [
        StrengthPoint(
            position(strength, strengths),
            100 * scores[task, method]["accuracy"],
            100 * scores[task, method]["accuracy_se"],
            f"{strength:g}",
            is_zero=strength == 0,
        )
        for strength, _, scores in sorted(runs, key=lambda run: run[0])
    ]


def draw(runs: Mapping[str, Sequence[tuple]], key: str, path: Path) -> None:
    """Draw one panel for each task."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    strengths = sorted({run[0] for group in runs.values() for run in group})
    figure, panels = pyplot.subplots(1, len(DRAWN), figsize=(11, 4.2), dpi=110, sharey=True)
    for axes, (task, (title, methods)) in zip(panels, DRAWN.items(), strict=True):
        lines = [(name, method) for name in runs for method in methods]
        for colour, (name, method) in zip(COLOURS, lines, strict=False):
            points = series(runs[name], task, method, strengths)
            draw_series(axes, points, f"{name}, {method}", colour)
            axes.plot([], [], color=colour, marker="o", label=f"{name}: {method}")
        draw_strength_axis(axes, points, f"{key} (0: without)", has_divider=True)
        first = next(iter(runs.values()))[0][2]
        for dashes, method in zip((":", "--"), ("real", "real + classical"), strict=True):
            if (task, method) in first:
                axes.axhline(100 * first[task, method]["accuracy"], color="grey", linestyle=dashes, label=method)
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8)
    panels[0].set_ylabel("accuracy on held-out images (%)")
    figure.tight_layout()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw downstream accuracies against the strength of a regularizer.")
    parser.add_argument(
        "sweep", type=Path, help="folder of runs that src/downstream.py task=[cas,augment] has measured"
    )
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("strength", nargs="?", default="r1.lambda_d", help="of a regularizer, default %(default)s")
    options = parser.parse_args(arguments)
    key, runs = options.strength, {}
    for result in sorted(options.sweep.glob("*/result.json")):
        run = read_run(result.parent, key)
        if run[2]:
            runs.setdefault(run[1], []).append(run)
    if not runs:
        parser.error(f"{options.sweep} has no runs with a strength {key} that src/downstream.py has measured")
    for name, group in runs.items():
        for strength, _, scores in sorted(group, key=lambda run: run[0]):
            for (task, method), score in scores.items():
                value, error = 100 * score["accuracy"], 100 * score["accuracy_se"]
                print(f"{name:16} {key}={strength:<6g} {task:8} {method:30} {value:6.1f} ± {error:.1f}")
    draw(runs, key, options.picture)


if __name__ == "__main__":
    main()
