"""List of regularizers: regen regularizers [WORD ...]

Prints all regularizers, or those whose description contains all words: formula, source, convention, default, cost. A single
match, or an exact name, is shown in full. --write writes docs/regularizers.md, the pages in docs/regularizers/ and
docs/figures.md.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from regen.utils import program
from regen.utils.lazy_imports import loading

if TYPE_CHECKING:
    from regen.report.regularizer_docs import RegularizerInfo


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

        written = [*regularizer_pages.write(), *figure_docs.write()]
        print("\n".join(f"wrote {path}" for path in written) or "nothing changed")
        return 0
    chosen = [one for one in regularizer_docs.regularizer_infos() if all(map(one.says, asked.words))]
    if not chosen:
        named = " and ".join(asked.words)
        print(
            f"no regularizer's description contains {named}: {program.typed('regularizers')} shows all", file=sys.stderr
        )
        return 1
    _show(chosen, [one for one in chosen if [one.name] == asked.words] or (chosen if len(chosen) == 1 else []))
    return 0


def _show(chosen: "list[RegularizerInfo]", exact: "list[RegularizerInfo]") -> None:
    """Print the exact matches in full, or else a table of all."""
    from regen.report.regularizer_docs import facts

    console = Console()
    for one in exact:
        console.print(Markdown("\n\n".join([f"# {one.name}", one.words.formula, facts(one), one.words.text])))
    if not exact:
        console.print(_table(chosen))


def _table(chosen: "list[RegularizerInfo]") -> Table:
    table = Table("regularizer=", "acts on", "formula", "source", "default", row_styles=["", "dim"])
    for one in chosen:
        table.add_row(*map(_plain, (one.name, one.where, one.words.formula, one.words.source, one.defaults)))
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
