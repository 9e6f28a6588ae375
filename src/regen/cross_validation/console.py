"""Print the result of a cross-validation and write its files."""

from collections.abc import Callable, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen.cross_validation.answer import Answer
from regen.cross_validation.result import Choice
from regen.cross_validation.sentences import describe_final_model, sentences
from regen.cross_validation.text import cells, contents, kinds, written
from regen.utils.json_files import write_json
from regen.utils.safe_files import write_safely

FILES = ("choice.json", "path.csv", "path.png", "samples.png", "report.html")
# Left out where the terminal is narrow, the last first; path.csv has all of them.
SPARED = ("train", "gap/", "seconds")
WritePages = Callable[[Choice, bool], None]  # of a choice, and whether samples are drawn, too
STYLES = {"best": "bold green", "passed-over": "red", "dropped": "dim"}


def save(choice: Choice, write_pages: WritePages) -> None:
    """Write choice.json, path.csv, path.png and report.html, without pictures of samples: the path so far."""
    _write_tables(choice)
    write_pages(choice, False)


def report_choice(choice: Choice, write_pages: WritePages) -> float:
    """Print and save a choice. Returns the mean held-out score of the recommended strength."""
    console = Console()
    for one in choice.answers:
        _show(console, choice, one)
    for words in choice.lacking:
        console.print(words, style="yellow", markup=False, highlight=False)
    _write_tables(choice)
    write_pages(choice, True)
    if best := choice.winner:
        console.print(f"\nThe final model, {describe_final_model(best)}:", style="bold", markup=False, highlight=False)
        console.print(f"  {best.command(best.final)}", soft_wrap=True, markup=False, highlight=False)
    elif any(one.passed_over for one in choice.answers):
        console.print("\nNo final model is recommended.", style="bold red", highlight=False)
    for path in (choice.out / name for name in FILES):
        if path.exists():
            console.print(f"{path.name:12} {path}", soft_wrap=True, markup=False, highlight=False)
    return choice.score


def _write_tables(choice: Choice) -> None:
    choice.out.mkdir(parents=True, exist_ok=True)
    write_json(choice.out / "choice.json", contents(choice))
    write_safely(choice.out / "path.csv", written(choice).encode())


def _show(console: Console, choice: Choice, answer: Answer) -> None:
    better, rounds = "higher" if choice.higher else "lower", len(answer.table.rounds)
    title = f"{answer.candidate.name}: {choice.monitor}, {better} is better, over {rounds} rounds"
    titles, rows = cells(choice, answer)
    kept = list(range(len(titles)))
    drawn = _table(title, answer, titles, rows)
    while Console(width=10_000).measure(drawn).minimum > console.width and (
        without := [i for i in kept if titles[i].startswith(SPARED)]
    ):
        kept.remove(without[-1])
        drawn = _table(title, answer, [titles[i] for i in kept], [[row[i] for i in kept] for row in rows])
    console.print(drawn)
    console.print(
        f"{answer.fits} of the {answer.all_fits} fits of the full table were trained", style="dim", highlight=False
    )
    for words in sentences(choice, answer):
        console.print(words, style="bold", markup=False, highlight=False)


def _table(title: str, answer: Answer, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(titles):
        widest = max(len(name), *(len(row[i]) for row in rows))
        justify: Literal["left", "right"] = "left" if i in (0, len(titles) - 1) else "right"
        table.add_column(name, justify=justify, no_wrap=True, min_width=widest)
    for kind, row in zip(kinds(answer), rows, strict=True):
        table.add_row(*map(escape, row), style=STYLES.get(kind))
    return table
