"""List of regularizers: regen regularizers [WORD ...]

Prints all regularizers, or those whose description contains all words: formula, source, convention, default, cost. A single
match, or an exact name, is shown in full. --write writes docs/regularizers.md, the pages in docs/regularizers/ and
docs/figures.md.
"""

import argparse
import sys

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from regen.utils import program
from regen.utils.lazy_imports import loading


def main(given: list[str] | None = None) -> int:
    """Print or write descriptions; returns 1 if none contains all words."""
    parser = argparse.ArgumentParser(description="The regularizers: formula, source, default and cost.")
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="show those whose description contains all of these words"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the pages of docs/ about them and about the figures"
    )
    asked = parser.parse_args(given)
    with loading():
        from regen.report import regularizer_docs  # here: --help does without torch, which takes seconds to import

    if asked.write:
        from regen.report import figure_docs, regularizer_pages

        print(
            "\n".join(f"wrote {path}" for path in [*regularizer_pages.write(), *figure_docs.write()])
            or "nothing changed"
        )
        return 0
    chosen = [one for one in regularizer_docs.regularizer_infos() if all(map(one.says, asked.words))]
    exact = [one for one in chosen if [one.name] == asked.words] or (chosen if len(chosen) == 1 else [])
    if not chosen:
        print(
            f"no regularizer's description contains {' and '.join(asked.words)}: {program.typed('regularizers')} shows all",
            file=sys.stderr,
        )
        return 1
    console = Console()
    for one in exact:
        console.print(
            Markdown("\n\n".join([f"# {one.name}", one.words.formula, regularizer_docs.facts(one), one.words.text]))
        )
    if not exact:
        console.print(_table(chosen))
    return 0


def _table(chosen: list) -> Table:
    table = Table("regularizer=", "acts on", "formula", "source", "default", row_styles=["", "dim"])
    for one in chosen:
        table.add_row(*map(_plain, (one.name, one.where, one.words.formula, one.words.source, one.defaults)))
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
