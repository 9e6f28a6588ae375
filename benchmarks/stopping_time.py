"""Stopping time and averaging by validation, compared with the test part: python benchmarks/stopping_time.py

Trains ten small GANs, one for each seed, on 100 handwritten digits, and evaluates three averages of G along each training on
the held-out fold and on the test part. For each seed, the length of training and of averaging is chosen from the folds of the
nine other seeds, as src/choose.py does for a final model of a new seed, and compared with the test figures of that seed.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from regen.config import validate  # noqa: E402
from regen.config.instantiate import build  # noqa: E402
from regen.config.resolvers import register_resolvers  # noqa: E402
from regen.cross_validation.evaluations import Evaluations, TrainingLength, choose_training_length  # noqa: E402
from regen.data.batches import Chunks, Stream  # noqa: E402
from regen.data.images import Images  # noqa: E402
from regen.metrics.chosen_metrics import make_metrics  # noqa: E402
from regen.metrics.evaluator import Evaluator  # noqa: E402
from regen.metrics.features import Source  # noqa: E402
from regen.models.base import Model  # noqa: E402
from regen.models.build_model import make_model  # noqa: E402

FOLDS = 5
DECAYS = (0.9, 0.99)  # besides model.ema_decay
FIGURE = "generalization"
SETTING = (
    *("data=digits", "data.subset=100", "data.batch_size=32", f"data.folds={FOLDS}"),
    *("network.generator.width=16", "network.discriminator.width=16"),
    *("model.optimizer_g.lr=1e-3", "model.optimizer_d.lr=1e-3", f"model.ema_decays=[{','.join(map(str, DECAYS))}]"),
    *("metrics=[kernel,memorization]", "logger=csv"),
)
COLUMNS = ("seed", "iteration", "decay", "val", "test", "test_se")

Row = dict[str, float]


def main() -> None:
    """Train or read the figures, choose for each seed, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="trainings (default: 10)")
    parser.add_argument("--iterations", type=int, default=2000, help="of each (default: 2000)")
    parser.add_argument("--evaluations", type=int, default=10, help="along each (default: 10)")
    parser.add_argument("--samples", type=int, default=1000, help="generated images of an evaluation (default: 1000)")
    parser.add_argument("--figures", type=Path, help="CSV file: trainings in it are not repeated")
    parser.add_argument("typed", nargs="*", help="further overrides of src/train.py")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = read(asked.figures)
    for seed in sorted(set(range(asked.seeds)) - {row["seed"] for row in rows}):
        rows += train(seed, asked)
        write(asked.figures, rows)
    report(rows)


def read(path: Path | None) -> list[Row]:
    """Return the figures of earlier trainings."""
    if path is None or not path.exists():
        return []
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def write(path: Path | None, rows: list[Row]) -> None:
    """Write the figures of all trainings so far."""
    if path is not None:
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


def train(seed: int, asked: argparse.Namespace) -> Iterator[Row]:
    """Train one GAN; yield the figures of every decay at every evaluation."""
    cfg = composed([*SETTING, f"seed={seed}", f"data.fold={seed % FOLDS}", *asked.typed])
    data = build(cfg.data, "data", Images)
    model = make_model(cfg, data)
    evaluators = [evaluator(cfg, data, model, split, asked.samples) for split in ("val", "test")]
    model.prepare(model.configure_optimizers())
    interval = asked.iterations // asked.evaluations
    stream = Stream(len(data.train), data.batch_size, model.n_critic, model.seed)
    chunks = Chunks(data.train, stream, 0, asked.iterations, (interval,))
    chunks.k = 50
    for chunk in chunks:
        model.training_step(chunk)
        model.record.clear()
        if model.iteration % interval == 0:
            yield from evaluate(model, cfg.model.ema_decay, evaluators, seed)
            print(f"\rseed {seed}: iteration {model.iteration:,}", end="", file=sys.stderr, flush=True)


def composed(overrides: list[str]) -> DictConfig:
    """Return the configuration of src/train.py with these overrides."""
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides)
    validate.check(cfg)
    return cfg


def evaluator(cfg: DictConfig, data: Images, model: Model, split: str, samples: int) -> Evaluator:
    source = build(cfg.metrics.features, "metrics.features", Source).for_data(data)
    cache = ROOT / "outputs" / "features"
    return Evaluator(data, make_metrics(cfg, data, model), source, cache, samples=samples, split=split)


def evaluate(model: Model, own: float, evaluators: list[Evaluator], seed: int) -> Iterator[Row]:
    """Yield the figures of the model's averages on the held-out fold and on the test part."""
    row = {"seed": seed, "iteration": model.iteration}
    val, test = (one(model) for one in evaluators)
    yield row | _figures(own, val, test)
    for decay in model.ema_decays:
        with model.averaged_by(decay):
            val, test = (one(model) for one in evaluators)
        yield row | _figures(decay, val, test)


def _figures(decay: float, val: Row, test: Row) -> Row:
    return {
        "decay": decay,
        "val": val[f"val/{FIGURE}"],
        "test": test[f"test/{FIGURE}"],
        "test_se": test[f"test/{FIGURE}_se"],
    }


def table(rows: list[Row], column: str) -> dict[float, np.ndarray]:
    """Return a figure by decay: (seeds, evaluations)."""
    axes = [sorted({row[name] for row in rows}) for name in ("seed", "iteration")]
    tables = {row["decay"]: np.full([len(axis) for axis in axes], np.nan) for row in rows}
    for row in rows:
        tables[row["decay"]][axes[0].index(row["seed"]), axes[1].index(row["iteration"])] = row[column]
    return tables


def choice(val: dict[float, np.ndarray], iterations: tuple[int, ...], seeds: list[int]) -> TrainingLength:
    """Return the choice that the evaluations of some seeds make."""
    own = max(val)
    some = {decay: figures[seeds] for decay, figures in val.items()}
    return choose_training_length(Evaluations(f"val/{FIGURE}", iterations, own, some), higher_is_better=True)


def report(rows: list[Row]) -> None:
    """Print a row for each seed, the counts and the means."""
    iterations = tuple(sorted({int(row["iteration"]) for row in rows}))
    val, test, test_se = (table(rows, column) for column in ("val", "test", "test_se"))
    seeds = range(len(next(iter(val.values()))))
    print("\nseed  chosen: iterations  decay | best by test | apart | test at choice   at best   at end")
    apart, within, at_choice, at_end = [], [], [], []
    for seed in seeds:
        length = choice(val, iterations, [other for other in seeds if other != seed])
        curve, errors = test[length.averaging.decay][seed], test_se[length.averaging.decay][seed]
        chosen, best = iterations.index(length.stopping.iteration), int(np.nanargmax(curve))
        apart.append(abs(chosen - best))
        within.append(curve[best] - curve[chosen] <= errors[best])
        at_choice.append(curve[chosen])
        at_end.append(curve[-1])
        print(
            f"{seed:4}  {iterations[chosen]:18,}  {length.averaging.decay:5g} | {iterations[best]:12,} | {apart[-1]:5} | "
            f"{curve[chosen]:14.3f} {curve[best]:9.3f} {curve[-1]:8.3f}"
        )
    print(f"within one evaluation of the best by the test part: {sum(d <= 1 for d in apart)} of {len(seeds)}")
    print(f"test figure within one standard error (of one evaluation) of the best: {sum(within)} of {len(seeds)}")
    print(f"mean test figure at the choice {np.mean(at_choice):.3f}, at the end of training {np.mean(at_end):.3f}")
    everything = choice(val, iterations, list(seeds))
    print(f"\nfrom all {len(seeds)} seeds:\n  {everything.stopping.reason}\n  {everything.averaging.reason}")
    for name, tables in (("validation", val), ("test", test)):
        for decay, figures in sorted(tables.items()):
            print(f"  {name:10} ema_decay={decay:<6g}" + " ".join(f"{mean:6.3f}" for mean in figures.mean(0)))


if __name__ == "__main__":
    main()
