"""The log metrics.csv, which is always written. (W&B's is in regen.tracking.)"""

import csv
import io
import math
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from regen.errors import ConfigError
from regen.utils.safe_files import disk_errors, open_without_links, write_safely

AXES = ("iteration", "images_seen")


class CSVLog(Logger):
    """Logger of metrics.csv: one row per record, one column per name; a row is on disk when log_metrics returns.

    Unlike Lightning's, it can continue after a given row, so that a resumed run has the log of the uninterrupted one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.rows, self.columns = path, 0, list(AXES)

    name, version = "csv", None

    def check(self, rows: int) -> None:
        """Raise ConfigError if the file has fewer complete rows, before anything is written."""
        self._read(rows)

    @rank_zero_only
    def go_on(self, rows: int) -> None:
        """Keep the first rows of the file and drop those that a killed run wrote after its checkpoint."""
        names, kept = self._read(rows)
        self._rewrite([name for name in names if name in AXES or any(row[name] for row in kept)], kept)
        self.rows = len(kept)

    def _read(self, rows: int) -> tuple[list[str], list[dict[str, str]]]:
        """Return the columns and the first rows of the file. Raises ConfigError if it has fewer complete rows."""
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                kept = [row for _, row in zip(range(rows), reader, strict=False)]
                names = list(reader.fieldnames or [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(f"{self.path} cannot be read ({error}): {self._advice(rows)}") from error
        if len(kept) < rows or not set(AXES) <= set(names) or not all(map(_is_whole, kept)):
            raise ConfigError(f"{self.path} is damaged: it has {len(kept)} whole rows: {self._advice(rows)}")
        return names, kept

    def _advice(self, rows: int) -> str:
        return f"the newest checkpoint belongs to a log of {rows} rows. Put that file back, or start a new run with name=NAME"

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        new = [name for name in metrics if name not in self.columns]
        if new and self.path.exists():
            with open(self.path, newline="") as file:
                self._rewrite(self.columns + new, list(csv.DictReader(file)))
        self.columns += [name for name in new if name not in self.columns]
        fresh = not self.path.exists()
        size = 20 * len(self.columns)
        with disk_errors(self.path, size), open(self.path, "a", newline="", opener=open_without_links) as file:
            writer = csv.DictWriter(file, self.columns)
            if fresh:
                writer.writeheader()
            writer.writerow(metrics)
        self.rows += 1

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's config.yaml contains them."""

    def _rewrite(self, columns: list[str], rows: list[dict]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_safely(self.path, text.getvalue().encode())
        self.columns = columns


def _is_whole(row: dict[str, str]) -> bool:
    """Return whether a row has a number or nothing in each column, numbers on its axes, and no further cells."""
    try:
        numbers = {name: float(cell) for name, cell in row.items() if cell != ""}
    except (TypeError, ValueError):  # a missing cell, further cells, or text
        return False
    return all(math.isfinite(numbers.get(axis, math.nan)) for axis in AXES)
