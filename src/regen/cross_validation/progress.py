"""The progress of a cross-validation: a bar over all fits with the time left, and a line after every batch."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from regen.cross_validation.plan import describe_duration
from regen.cross_validation.runner import CandidateRunner, Run, count_fits_left
from regen.cross_validation.score_table import Table
from regen.cross_validation.selection import mean_ranks
from regen.utils.json_files import read_json

POLLED = 1.0  # seconds between two looks at which fits of a batch have ended


class FitProgress:
    """Shows how many fits are done while the launcher is busy, in a terminal alone.

    sweep  the folder of the fits; a fit is done when its result.json says so
    """

    def __init__(self, sweep: Path) -> None:
        self.sweep, self.done, self.most, self.text = sweep, 0, 0, ""

    def watching(self, run: Run) -> Run:
        """Return `run` with the bar around it."""

        def watched(jobs: list[list[str]]) -> list[Path]:
            with self._bar() as bar:
                task = bar.add_task(self.text, total=max(self.most, self.done + len(jobs)), completed=self.done)
                ended, stop = threading.Event(), time.time()
                poll = threading.Thread(target=self._poll, args=(bar, task, stop, ended), daemon=True)
                poll.start()
                try:
                    return run(jobs)
                finally:
                    ended.set()
                    poll.join()
                    self.done += len(jobs)

        return watched

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def _poll(self, bar: Progress, task: TaskID, since: float, ended: threading.Event) -> None:
        while not ended.wait(POLLED):
            results = [path for path in self.sweep.glob("*/result.json") if path.stat().st_mtime >= since]
            done = sum(read_json(path).get("status") in ("finished", "diverged") for path in results)
            bar.update(task, completed=self.done + done)


def reporter(
    progress: FitProgress, runners: Sequence[CandidateRunner], n_jobs: int, save: Callable[[], None]
) -> Callable[[CandidateRunner], None]:
    """Return what is called after every batch: it prints a line about the path so far and saves it."""

    def report(runner: CandidateRunner) -> None:
        left = count_fits_left(runners)
        seconds = max(one.seconds for one in runners)
        time_left = describe_duration(left * seconds / n_jobs)
        progress.most = progress.done + left
        progress.text = f"{runner.candidate.name}, round {runner.race.done + 1} of at most {len(runner.race.rounds)}"
        if runner.race.done:
            print(f"{_standing(runner)}; at most {left} fits and {time_left} left", flush=True)
            save()

    return report


def _standing(runner: CandidateRunner) -> str:
    """r1, 4 of at most 15 rounds: 10 leads (mean rank 1.8; 0: 3.4), still in: 0, 1, 10."""
    race, candidate = runner.race, runner.candidate
    table = Table(race.scores, race.higher)
    ranks = dict(zip(table.strengths, mean_ranks(table), strict=True))
    off = (0.0,) * len(candidate.axes)
    leader = min((one for one in ranks if ranks[one] == ranks[one]), key=ranks.__getitem__)
    of_off = f"; {candidate.axis_label(off)}: {ranks[off]:.1f}" if leader != off else ""
    still = ", ".join(candidate.axis_label(one) for one in race.racing)
    words = f"{candidate.name}, {race.done} of at most {len(race.rounds)} rounds: {candidate.axis_label(leader)} leads"
    return f"{words} (mean rank {ranks[leader]:.1f}{of_off}), " + ("ended" if race.ended else f"still in: {still}")
