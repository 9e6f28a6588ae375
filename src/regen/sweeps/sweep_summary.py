"""Summary of all jobs in a sweep's folder: summary.csv and a table."""

import csv
import io
import math
import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen.runs.folder import Folder
from regen.utils.json_files import read_json
from regen.utils.safe_files import write_safely

FIGURES = ("iteration", "images_seen", "images_per_second", "seconds")
COLOURS = {"finished": "green", "diverged": "magenta", "pruned": "cyan", "failed": "red", "refused": "red"}


def rows(sweep: Path) -> list[dict[str, object]]:
    """Return a row per job: its folder, the overrides in which jobs differ, status, monitored metric, best, cost, diagnosis."""
    folders = sorted({path.parent for name in ("job.json", "error.txt") for path in sweep.glob(f"*/{name}")})
    typed = [_typed(folder) for folder in folders]
    keys = list(dict.fromkeys(key for one in typed for key in one))
    axes = [key for key in keys if len({one.get(key) for one in typed}) > 1]
    table = [
        {"job": folder.name, **{key: one.get(key, "") for key in axes}, **_row(Folder(folder))}
        for folder, one in zip(folders, typed, strict=True)
    ]
    return sorted(table, key=lambda row: [_place(str(row[key])) for key in axes])


def _place(value: str) -> tuple[float, str]:
    """Return the sort key: numbers by size, then text."""
    try:
        return (float(value or "-inf"), "")
    except ValueError:
        return (math.inf, value.strip("[]"))


def _typed(folder: Path) -> dict[str, str]:
    overrides = read_json(folder / "job.json").get("overrides", [])
    return {key: value for key, _, value in (one.partition("=") for one in overrides)}


def _row(folder: Folder) -> dict[str, object]:
    result, error = read_json(folder.result), folder.path / "error.txt"
    monitor, status = result.get("monitor"), result.get("status", "unfinished")
    if error.exists():
        status, result["reason"] = "failed" if status == "failed" else "refused", _last_line(error)
    return {
        "status": status,
        "monitor": monitor,
        "value": float(result.get(monitor, math.nan)),
        "best": float(result.get("best", {}).get(monitor, math.nan)),
        "diagnosis": result.get("diagnosis", {}).get("kind"),
        **{name: result.get(name) for name in FIGURES},
        "reason": result.get("reason"),
    }


def _last_line(error: Path) -> str:
    """Return the last line of a traceback without the exception's module."""
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", (error.read_text().strip().splitlines() or ["?"])[-1])


def close(sweep: Path, shown: bool = True) -> bool:
    """Write summary.csv, show the table, and return whether a job failed."""
    table = rows(sweep)
    if not table:
        return False
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    write_safely(sweep / "summary.csv", text.getvalue().encode())
    if shown:
        _show(sweep, table)
    return any(row["status"] in ("failed", "refused") for row in table)


def _show(sweep: Path, table: list[dict[str, object]]) -> None:
    console = Console()
    axes = [key for key in list(table[0])[1:] if key not in _row(Folder(sweep))]
    monitors = list(dict.fromkeys(str(row["monitor"]) for row in table if row["monitor"]))
    shown = Table(*(axes or ["job"]), "status", " or ".join(monitors) or "figure", "best", "seconds")
    for row in table:
        cells = [escape(str(row[key])) for key in (axes or ["job"])]
        status = f"[{COLOURS.get(str(row['status']), 'yellow')}]{row['status']}[/]"
        numbers = [
            f"{row['value']:.4g}",
            f"{row['best']:.4g}",
            "" if row["seconds"] is None else f"{row['seconds']:,.0f}",
        ]
        shown.add_row(*cells, status, *("" if number == "nan" else number for number in numbers))
    console.print(shown)
    for row in (row for row in table if row["status"] in ("failed", "refused")):
        where = sweep / str(row["job"]) / "error.txt"
        console.print(
            f"{row['status']}: {row['reason']}\n         {where}", soft_wrap=True, markup=False, highlight=False
        )
    done = sum(row["status"] in ("finished", "diverged", "pruned") for row in table)
    words = f"{done} of {len(table)} started jobs are complete"
    again = "" if done == len(table) else "; repeat the command with sweep=NAME to run the rest"
    console.print(f"{words}{again}\nsummary  {sweep / 'summary.csv'}", soft_wrap=True, markup=False, highlight=False)
