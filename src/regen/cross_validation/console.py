"""tell: a choice in the terminal, and the files that hold it."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen.cross_validation.result import Answer, Choice
from regen.cross_validation.text import cells, contents, kinds, sentences, written
from regen.runs import write_json, write_safely

FILES = ("choice.json", "path.csv", "path.png", "strip.png", "choose.html")
# Left out where the terminal is narrow, the last first; path.csv has all of them.
SPARED = ("train", "gap", "gap/copies", "seconds")
STYLES = {"best": "bold green", "passed-over": "red", "dropped": "dim"}


def tell(choice: Choice) -> float:
    """Print and save it; the best mean held-out score."""
    choice.out.mkdir(parents=True, exist_ok=True)
    console = Console()
    for one in choice.answers:
        _show(console, choice, one)
    for words in choice.lacking:
        console.print(words, style="yellow", markup=False, highlight=False)
    write_json(choice.out / "choice.json", contents(choice))
    write_safely(choice.out / "path.csv", written(choice).encode())
    _draw(choice)
    if best := choice.winner:
        of = f" of {best.candidate.name}" if len(choice.answers) > 1 else ""
        console.print(f"\nThe final model, at λ*{of}:", style="bold", highlight=False)
        console.print(f"  {best.command(best.best)}", soft_wrap=True, markup=False, highlight=False)
    elif any(one.passed_over for one in choice.answers):
        console.print("\nNo final model is recommended.", style="bold red", highlight=False)
    for path in (choice.out / name for name in FILES):
        if path.exists():
            console.print(f"{path.name:12} {path}", soft_wrap=True, markup=False, highlight=False)
    return choice.score


def _draw(choice: Choice) -> None:
    from regen.cross_validation import path_page, path_pictures, sample_grids  # here: printed before plotting loads

    strips = [sample_grids.strip(answer) for answer in choice.answers]
    path_pictures.write(choice, strips)
    path_page.write(choice, strips)


def _show(console: Console, choice: Choice, answer: Answer) -> None:
    better, rounds = "higher" if choice.higher else "lower", len(answer.table.rounds)
    title = f"{answer.candidate.name}: {choice.monitor}, {better} is better, over {rounds} rounds"
    titles, rows = cells(choice, answer)
    kept = list(range(len(titles)))
    drawn = _table(title, answer, titles, rows)
    while Console(width=10_000).measure(drawn).minimum > console.width and (
        without := [i for i in kept if titles[i] in SPARED]
    ):
        kept.remove(without[-1])
        drawn = _table(title, answer, [titles[i] for i in kept], [[row[i] for i in kept] for row in rows])
    console.print(drawn)
    console.print(f"{answer.units} of {answer.all_units} units were trained", style="dim", highlight=False)
    for words in sentences(choice, answer):
        console.print(words, style="bold", markup=False, highlight=False)


def _table(title: str, answer: Answer, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(titles):
        widest = max(len(name), *(len(row[i]) for row in rows))
        justify = "left" if i in (0, len(titles) - 1) else "right"
        table.add_column(name, justify=justify, no_wrap=True, min_width=widest)
    for kind, row in zip(kinds(answer), rows, strict=True):
        table.add_row(*map(escape, row), style=STYLES.get(kind))
    return table
