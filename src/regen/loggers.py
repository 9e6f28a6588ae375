"""The log that is always on: metrics.csv. (regen.tracking is W&B's.)"""

import csv
import io
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from regen.safe_files import open_without_links, write_safely

AXES = ("iteration", "images_seen")


class CSVLog(Logger):
    """metrics.csv: a row for every record, a column for every name; each row is on disk when log_metrics returns.

    Unlike Lightning's, it can go on from a given row, so that a resumed run has the log of the uninterrupted one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.rows, self.columns = path, 0, list(AXES)

    name, version = "csv", None

    @rank_zero_only
    def go_on(self, rows: int) -> None:
        """Keep the first rows of the file, drop what a killed run wrote after its checkpoint."""
        with open(self.path, newline="") as file:
            reader = csv.DictReader(file)
            kept = [row for row, _ in zip(reader, range(rows), strict=False)]
        self._rewrite(
            [name for name in reader.fieldnames or [] if name in AXES or any(row[name] for row in kept)], kept
        )
        self.rows = len(kept)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        new = [name for name in metrics if name not in self.columns]
        if new and self.path.exists():
            with open(self.path, newline="") as file:
                self._rewrite(self.columns + new, list(csv.DictReader(file)))
        self.columns += [name for name in new if name not in self.columns]
        fresh = not self.path.exists()
        with open(self.path, "a", newline="", opener=open_without_links) as file:
            writer = csv.DictWriter(file, self.columns)
            if fresh:
                writer.writeheader()
            writer.writerow(metrics)
        self.rows += 1

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The run's config.yaml holds them."""

    def _rewrite(self, columns: list[str], rows: list[dict]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_safely(self.path, text.getvalue().encode())
        self.columns = columns
