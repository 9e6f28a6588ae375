"""Bank: the scores of many trainings, by strength, round and length of training, from which choices are simulated."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from regen.cross_validation.score_table import Fit, Score, Table

COLUMNS = ("strength", "seed", "fold", "iteration")
NOTES = ("command", "higher_is_better")


@dataclass(frozen=True)
class Bank:
    """Scores by strength, round and length of training. In a round, all strengths share seed, fold, data order and z.

    strengths    (K,) ascending, 0 first
    seeds        (R,) of the rounds, each once
    folds        (R,) of the rounds
    iterations   (L,) lengths of training, ascending
    figures      {"val/kd": (K, R, L)}; nan: diverged; the first one is the score
    command      that made the bank

    Raises ValueError on figures of another shape.
    """

    strengths: NDArray[np.float64]
    seeds: NDArray[np.int64]
    folds: NDArray[np.int64]
    iterations: NDArray[np.int64]
    figures: Mapping[str, NDArray[np.float32]]
    command: str
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        shape = (len(self.strengths), len(self.seeds), len(self.iterations))
        wrong = {name: values.shape for name, values in self.figures.items() if values.shape != shape}
        if wrong or len(self.folds) != len(self.seeds) or not self.figures:
            raise ValueError(f"expected figures of shape {shape} and a fold for each seed, got {wrong or 'others'}")

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """(K, R, L) of the first figure."""
        return next(iter(self.figures.values()))

    def table(self, rounds: Sequence[int] | None = None, length: int = -1) -> Table:
        """The score table of some rounds (indices; None: all) at one of the lengths (an index; -1: the longest)."""
        chosen = range(len(self.seeds)) if rounds is None else rounds
        fits = {
            Fit((float(strength),), int(self.folds[r]), int(self.seeds[r])): Score(float(self.scores[k, r, length]))
            for k, strength in enumerate(self.strengths)
            for r in chosen
        }
        return Table(fits, self.higher_is_better)

    def save(self, path: Path) -> None:
        """Write a .npz or a .csv file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (self._save_csv if path.suffix == ".csv" else self._save_npz)(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a .npz or a .csv file."""
        return cls._load_csv(path) if path.suffix == ".csv" else cls._load_npz(path)

    def _save_npz(self, path: Path) -> None:
        axes = {name: getattr(self, name) for name in ("strengths", "seeds", "folds", "iterations", *NOTES)}
        names = list(self.figures)
        np.savez_compressed(path, **axes, names=np.array(names), values=np.stack([self.figures[n] for n in names]))

    @classmethod
    def _load_npz(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        figures = dict(zip(arrays.pop("names").tolist(), arrays.pop("values"), strict=True))
        notes = {name: arrays.pop(name).item() for name in NOTES}
        return cls(**arrays, **notes, figures=figures)

    def _save_csv(self, path: Path) -> None:
        with path.open("w", newline="") as file:
            file.writelines(f"# {name}: {getattr(self, name)}\n" for name in NOTES)
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*COLUMNS, *self.figures])
            writer.writerows(self._rows())

    def _rows(self) -> Iterator[list]:
        for k, r, n in np.ndindex(self.scores.shape):
            place = [f"{self.strengths[k]:g}", self.seeds[r], self.folds[r], self.iterations[n]]
            yield [*place, *(f"{values[k, r, n]:.6g}" for values in self.figures.values())]

    @classmethod
    def _load_csv(cls, path: Path) -> Self:
        lines = path.read_text().splitlines()
        notes = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
        rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
        records = [({name: float(row[name]) for name in COLUMNS}, row) for row in rows]
        names = [name for name in rows[0] if name not in COLUMNS]
        values = [(place, {name: float(row[name]) for name in names}) for place, row in records]
        return cls.of(values, notes["command"], notes["higher_is_better"] == "True")

    @classmethod
    def of(
        cls, records: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], command: str, higher_is_better: bool
    ) -> Self:
        """The bank of records: (the four COLUMNS, the figures) of every evaluation. A missing evaluation is nan."""
        strengths, seeds, iterations = (
            sorted({place[n] for place, _ in records}) for n in ("strength", "seed", "iteration")
        )
        folds = {place["seed"]: place["fold"] for place, _ in records}
        shape = (len(strengths), len(seeds), len(iterations))
        figures = {name: np.full(shape, np.nan, np.float32) for name in records[0][1]}
        for place, values in records:
            at = strengths.index(place["strength"]), seeds.index(place["seed"]), iterations.index(place["iteration"])
            for name, value in values.items():
                figures[name][at] = value
        rounds = [np.array(one, np.int64) for one in (seeds, [folds[seed] for seed in seeds], iterations)]
        return cls(np.array(strengths), *rounds, figures, command, higher_is_better)
