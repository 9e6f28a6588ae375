"""Make the banks of scores from which benchmarks/choice.py draws: many trainings at several strengths of R1.

    python benchmarks/bank.py grid       # small GANs on data=grid, trained as one batch
    python benchmarks/bank.py digits     # runs of src/train.py on 200 digits
    python benchmarks/bank.py show benchmarks/banks/grid.npz

The banks in benchmarks/banks/ hold the command that made them.
"""

import argparse
import csv
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import numpy as np  # noqa: E402
import yaml  # noqa: E402
from bank_summary import describe  # noqa: E402
from score_bank import COLUMNS, Bank  # noqa: E402
from tqdm import tqdm  # noqa: E402

FOLDS = 5  # round r holds out fold r modulo 5; the grid's folds are labels only: every round trains on all points
BATCH = 16  # rounds that are trained at once: more of them gain little, and need more memory than a core's cache
BANKS = ROOT / "benchmarks" / "banks"
LENGTHS = (0.125, 0.25, 0.5, 1.0)  # of the iterations, at which a GAN of the grid is scored
MONITOR, OTHERS = "val/generalization", ("val/kd",)
DIGITS = ("data=digits", "data.subset=200", "network=mlp", "regularizer=r1", "metrics=[kernel,memorization]")
QUIET = ("logger=csv", "report=false", "trainer.threads=1", "trainer.progress_bar=false")


def make_grid(strengths: Sequence[float], rounds: int, iterations: int, out: Path) -> Bank:
    """Train a GAN for each strength and round, and score each at the LENGTHS.

    Saved whenever some rounds are done; the same command again, or one with more rounds, does what is missing.
    """
    import torch
    from small_gans import Setup, grid_data, train

    torch.set_num_threads(1)
    lengths = np.array([max(1, round(part * iterations)) for part in LENGTHS])
    data, bank = grid_data(), _stored(out, strengths, lengths)
    first = 0 if bank is None else len(bank.seeds)
    bar = tqdm(total=rounds, initial=first, unit="round")
    for start in range(first, rounds, BATCH):
        seeds = np.arange(start, min(start + BATCH, rounds))
        figures = train(data, Setup(), strengths, seeds.tolist(), lengths.tolist())
        if bank is not None:
            figures = {name: np.concatenate([bank.figures[name], figures[name]], axis=1) for name in figures}
        done = np.arange(seeds[-1] + 1)
        command = _command("grid", strengths, len(done), iterations)
        bank = Bank(np.array(strengths), done, done % FOLDS, lengths, figures, command)
        bank.save(out)
        bar.update(len(seeds))
    bar.close()
    return bank


def _stored(path: Path, strengths: Sequence[float], lengths: np.ndarray) -> Bank | None:
    """The bank of a file, if it is of these strengths and lengths of training."""
    bank = Bank.load(path) if path.exists() else None
    same = bank and bank.strengths.tolist() == list(strengths) and bank.iterations.tolist() == lengths.tolist()
    return bank if same else None


def make_digits(strengths: Sequence[float], rounds: int, iterations: int, out: Path) -> Bank:
    """Run src/train.py for each strength and round; the same command again does what is missing."""
    sweep = f"bank_digits_{iterations}"
    lengths = [f"max_iterations={iterations}", f"evaluate_every={max(1, iterations // 6)}"]
    for fold in range(min(FOLDS, rounds)):
        seeds = ",".join(map(str, range(fold, rounds, FOLDS)))
        swept = [f"seed={seeds}", f"lambda_d={','.join(f'{strength:g}' for strength in strengths)}"]
        folds = [f"data.folds={FOLDS}", f"data.fold={fold}", f"sweep={sweep}"]
        script = [sys.executable, str(ROOT / "src" / "train.py"), "-m"]
        subprocess.run([*script, *DIGITS, *QUIET, *lengths, *folds, *swept], check=True, cwd=ROOT)
    runs = (path.parent for path in (ROOT / "outputs" / "sweeps" / sweep).glob("*/result.json"))
    records = [record for run in sorted(runs) for record in _evaluations(run)]
    chosen = [record for record in records if record[0]["strength"] in strengths and record[0]["seed"] < rounds]
    bank = Bank.of(chosen, _command("digits", strengths, rounds, iterations), higher_is_better=True)
    bank.save(out)
    return bank


def _evaluations(run: Path) -> Iterator[tuple[Mapping[str, float], Mapping[str, float]]]:
    """The place and the figures of each evaluation of a run; those after it diverged are missing."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    place = (float(config["lambda_d"]), config["seed"], config["data"]["fold"])
    with (run / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            if row.get(MONITOR):
                figures = {name: float(row[name] or math.nan) for name in (MONITOR, *OTHERS)}
                yield dict(zip(COLUMNS, (*place, int(row["iteration"])), strict=True)), figures


def _command(name: str, strengths: Sequence[float], rounds: int, iterations: int) -> str:
    """What makes the bank again."""
    shown = ",".join(f"{strength:g}" for strength in strengths)
    return f"python benchmarks/bank.py {name} --strengths={shown} --rounds={rounds} --iterations={iterations}"


MAKERS = {
    "grid": (make_grid, "grid.npz", "0,0.01,0.1,1,10,100", 300, 1000),
    "digits": (make_digits, "digits.csv", "0,10,100,1000", 15, 600),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a bank, or describe one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, (_, file, strengths, rounds, iterations) in MAKERS.items():
        command = commands.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        command.add_argument("--strengths", default=strengths, help="of R1 (γ), 0 among them")
        command.add_argument("--rounds", type=int, default=rounds, help="trainings of each strength, a seed each")
        command.add_argument("--iterations", type=int, default=iterations, help="of a training")
        command.add_argument("--out", type=Path, default=BANKS / file)
    commands.add_parser("show", help="describe a bank").add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.name == "show":
        print(describe(Bank.load(chosen.file)))
        return
    strengths = sorted({float(word) for word in chosen.strengths.split(",")})
    if 0 not in strengths or min(strengths) < 0 or chosen.rounds < 1 or chosen.iterations < 1:
        parser.error("expected strengths >= 0 with 0 among them, and at least 1 round and 1 iteration")
    bank = MAKERS[chosen.name][0](strengths, chosen.rounds, chosen.iterations, chosen.out)
    print(describe(bank))


if __name__ == "__main__":
    main()
