"""The documentation of the regularizers: docs/regularizers.md and a page for each in docs/regularizers/."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from regen.core.constraints import is_of_flows, needs_both, needs_classes
from regen.core.regularizer import Regularizer
from regen.report import sweep_pages
from regen.report.regularizer_docs import RegularizerInfo, facts, regularizer_infos
from regen.report.sweep_results import read_sweep
from regen.utils.project import ROOT

DOCS = ROOT / "docs"
SETTING = re.compile(r"^(\w+) {2,}", re.MULTILINE)  # a setting and its meaning, in a docstring
INTRODUCTION = """# Regularizers

A regularizer acts on a generative model in one or more of [five places](architecture.md#five-places): the form of the
networks, what D sees, D's loss, G's loss, and the weights after a step. Any list of them composes, in the order given; a
combination that cannot work is refused at the start, with the reason.

Penalties are logged unweighted as `<player>/<name>`. [Strengths](strengths.md) can be relative, follow a schedule, or
apply at every k-th update. The last column counts extra passes; "second-order" is a backward pass that is differentiated
again.

```
python src/regularizers.py gradient 2018      # those that say so, in the terminal
python src/regularizers.py r1                 # all about one
```

The [sweep of all regularizers](regularizer_sweep.md) compares each with none, on digits.

`make table` writes this page and the linked ones from the docstrings, `conf/regularizer` and the results of that sweep.
"""


def tables(chosen: list[RegularizerInfo], papers: Mapping[str, str]) -> str:
    """A table in Markdown for each place, whose names link to the pages."""
    lines, where = [], None
    for one in chosen:
        if one.where != where:
            where = one.where
            heading = f"## {where[0].upper()}{where[1:]}"
            lines += [
                "",
                heading,
                "",
                "| `regularizer=` | formula | source | default | extra passes |",
                "|---|---|---|---|---|",
            ]
        name, source = f"[`{one.name}`](regularizers/{one.name}.md)", linked(_brief(one.words.source), papers)
        cells = [name, one.words.formula, source, f"`{one.defaults}`", one.cost]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines[1:])


def index(chosen: list[RegularizerInfo], papers: Mapping[str, str]) -> str:
    """The page with the tables, in Markdown; the site's navigation has the pages in its order."""
    names = "\n".join(f"regularizers/{one.name}" for one in chosen)
    tree = f"```{{toctree}}\n:hidden:\n\n{names}\n```"
    return "\n".join([INTRODUCTION, tables(chosen, papers), "", tree, ""])


def page(one: RegularizerInfo, papers: Mapping[str, str], use: str, results: str = "") -> str:
    """The page of a regularizer in Markdown: formula, use, facts, the docstring's text, commands, and results of the sweep."""
    options = f"{_model_of(one)}regularizer={one.name}"
    commands = [f"python src/train.py {options}"] + [f"python src/choose.py {options}"] * bool(one.searched)
    parts = [
        f"# `{one.name}`",
        f"> {one.words.formula}.",
        use,
        linked(facts(one), papers),
        _text(one.kind),
        "\n".join(["```", *commands, "```"]),
        results,
        "[All regularizers](../regularizers.md)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _model_of(one: RegularizerInfo) -> str:
    """The override of the model that a regularizer needs, "model=vae ", or "" if it trains the default model."""
    needs = {
        "model=vae ": one.is_of_codes,
        "model=flow ": is_of_flows(one.kind),
        "model=vae_gan ": needs_both(one.kind),
        "model.conditional=true ": needs_classes(one.kind),
    }
    return next((model for model, needed in needs.items() if needed), "")


def linked(text: str, papers: Mapping[str, str]) -> str:
    """The text with a link at each paper that it names."""
    names = "|".join(re.escape(name) for name in sorted(papers, key=len, reverse=True))
    return re.sub(names, lambda match: f"[{match[0]}]({papers[match[0]]})", text)


def pages() -> dict[Path, str]:
    """The files of docs/ that come from the catalogue, and their contents. KeyError if docs/uses.yaml lacks a regularizer."""
    everything = regularizer_infos()
    papers, uses = (yaml.safe_load((DOCS / name).read_text()) for name in ("papers.yaml", "uses.yaml"))
    sweep = read_sweep()
    made = {
        DOCS / f"regularizers/{one.name}.md": page(one, papers, uses[one.name], sweep_pages.section(sweep, one.name))
        for one in everything
    }
    overview = {DOCS / "regularizer_sweep.md": sweep_pages.overview(sweep, [one.name for one in everything])}
    return {DOCS / "regularizers.md": index(everything, papers), **overview, **made}


def write() -> list[Path]:
    """Write the pages into docs/, and remove those of regularizers that were removed; the files that changed."""
    made, folder = pages(), DOCS / "regularizers"
    folder.mkdir(exist_ok=True)
    removed = [path for path in folder.glob("*.md") if path not in made]
    changed = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    for path in removed:
        path.unlink()
    for path in changed:
        path.write_text(made[path])
    return changed + removed


def _text(kind: type[Regularizer]) -> str:
    """The docstring's paragraphs after formula and source in Markdown, settings as a list."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(kind.__doc__ or ""))[1:]
    rest = [block for block in blocks if not block.startswith(("Source: ", "Convention: "))]
    return "\n\n".join(SETTING.sub(r"- `\1`: ", b) if SETTING.match(b) else " ".join(b.split()) for b in rest)


def _brief(source: str) -> str:
    """A source without what follows its first comma or semicolon: the docs page has all of it."""
    return re.split(r"[,;] (?!.*\d{4})", source)[0]
