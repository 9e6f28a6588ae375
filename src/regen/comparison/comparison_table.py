"""The comparison in the terminal and as CSV."""

import csv
import io
import math
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from regen.comparison.config_diff import text
from regen.comparison.run_group import COST, Comparison, Group, Summary
from regen.runs.eligibility import MEMORIZES


def shown(comparison: Comparison, width: int | None = None, rows: int = 40) -> Lines:
    """Return a table for rich's console, or a list on a narrow terminal; more than `rows` groups are left out with a note."""
    chosen = comparison.groups[:rows]
    drawn: Table | Lines = _table(comparison, chosen)
    width = width or Console().width
    if Console(width=10_000).measure(drawn).minimum > width:
        drawn = _list(comparison, chosen, width)
    return Lines(drawn, *(Text(line, style="dim") for line in _below(comparison, len(chosen))))


def plus_minus(found: Summary) -> str:
    """Format a mean with its error, as 3.04 ± 0.12 or 3.0 ± 0.3: two digits if the error begins with 1 or 2."""
    if not found.n:
        return "–"
    if not found.error > 0:
        return f"{found.mean:.4g}"
    magnitude = math.floor(math.log10(found.error))
    digits = min(max(int(found.error < 3 * 10**magnitude) - magnitude, 0), 8)
    return f"{found.mean:,.{digits}f} ± {found.error:,.{digits}f}"


def format_figure(group: Group, name: str) -> str:
    """Format a metric with its error, or the median of a cost."""
    if not group.of(name).n:
        return "–"
    return f"{group.typical(name):,.0f}" if name in COST else plus_minus(group.of(name))


def cells(comparison: Comparison, group: Group) -> dict[str, str]:
    """Return a group's cells by column; columns that are empty for all groups are left out."""
    monitored = group.of(comparison.monitor)
    found = {"n": f"{monitored.n}", comparison.monitor: plus_minus(monitored)}
    if any(one.of(comparison.monitor).n > 2 for one in comparison.groups):
        found["median"] = f"{monitored.median:.4g}" if monitored.n else "–"
    found |= {name: format_figure(group, name) for name in comparison.figures}
    for name, title in COST.items():
        if any(one.of(name).n for one in comparison.groups):
            found[title] = format_figure(group, name)
    return found | {"diagnosis": ", ".join(said(group))}


def said(group: Group) -> list[str]:
    """Return why the group is passed over, its diagnoses with counts, and why runs did not finish."""
    passed_over = [f"passed over: {group.passed_over}"] if group.passed_over else []
    kinds = [kind if n == len(group.runs) else f"{n} {kind}" for kind, n in kinds_of(group)]
    return [*passed_over, *kinds, *group.notes]


def repetitions(group: Group, figure: str) -> str:
    """Return the repetitions of a mean: "3 seeds", "5 folds of one seed", "10 runs (2 seeds, 5 folds)"."""
    draws = list(group.by_seed(figure))
    seeds, folds = ({draw[i] for draw in draws} - {None} for i in (0, 1))
    if not folds:
        return f"{len(draws)} seed{'s' * (len(draws) != 1)}"
    if len(seeds) == 1:
        return f"{len(draws)} fold{'s' * (len(draws) != 1)} of one seed"
    return f"{len(draws)} runs ({len(seeds)} seeds, {len(folds)} fold{'s' * (len(folds) != 1)})"


def kinds_of(group: Group) -> list[tuple[str, int]]:
    """Return the diagnoses with counts, the most frequent first, without the one for which the group is passed over."""
    return [(kind, n) for kind, n in group.diagnoses.most_common() if not (group.passed_over and kind == MEMORIZES)]


def written(comparison: Comparison) -> str:
    """Return the comparison as CSV with a row for each group, best first."""
    rows = [_row(comparison, group) for group in comparison.groups]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _table(comparison: Comparison, groups: list[Group]) -> Table:
    table = Table(title=f"{len(comparison.runs)} runs, best {comparison.monitor} first", title_justify="left")
    table.add_column("settings", overflow="fold", min_width=16)
    rows = {group.label: cells(comparison, group) for group in groups}
    for name in rows[groups[0].label]:
        last = name == "diagnosis"
        widest = 14 if last else max(len(name), *(len(row[name]) for row in rows.values()))
        table.add_column(name, justify="left" if last else "right", no_wrap=not last, min_width=widest)
    for group in groups:
        style = "bold green" if group is comparison.best else "red" if group.passed_over else None
        table.add_row(Text(_marked(comparison, group)), *rows[group.label].values(), style=style)
    return table


def _list(comparison: Comparison, groups: list[Group], width: int) -> Lines:
    width, lines = width - 1, [Text(f"{len(comparison.runs)} runs, best {comparison.monitor} first", style="italic")]
    for group in groups:
        lines.append(Text(_marked(comparison, group), style="bold green" if group is comparison.best else "bold"))
        known = cells(comparison, group)
        words = known.pop("diagnosis")
        figures = "  ".join(f"{name} {value}".replace(" ", "\u00a0") for name, value in known.items())
        lines += [Text(textwrap.indent(textwrap.fill(one, width - 2), "  ")) for one in (figures, words) if one]
    return Lines(*lines)


def _marked(comparison: Comparison, group: Group) -> str:
    return f"{'★ ' if group is comparison.best else '≈ ' if comparison.is_level(group) else ''}{group.label}"


def _below(comparison: Comparison, drawn: int) -> Iterator[str]:
    direction = "higher" if comparison.higher else "lower"
    if comparison.best is None and comparison.groups[0].passed_over:
        yield "no setting is recommended: in each, at least half of the finished runs memorize"
    yield f"★ best mean of {comparison.monitor}, of which {direction} is better; ± one standard error of the mean over n runs"
    if any(map(comparison.is_level, comparison.groups)):
        yield "≈ not distinguishable from the best: the 95% interval of the difference (paired by seed and fold) contains 0"
    if any(group.passed_over for group in comparison.groups):
        yield f"passed over, regardless of {comparison.monitor}: at least half of the finished runs memorize"
    if any(group.notes for group in comparison.groups):
        yield "means are over finished runs only"
    if any(group.statuses["running"] for group in comparison.groups):
        yield "without a result: it still trains, or was killed"
    if drawn < len(comparison.groups):
        yield f"{len(comparison.groups) - drawn} more groups in compare.csv and compare.html"


def _row(comparison: Comparison, group: Group) -> dict[str, object]:
    row: dict[str, object] = {
        key: text(group.settings[key]) if key in group.settings else "" for key in comparison.factors
    }
    row |= {"runs": len(group.runs), "best": group is comparison.best, "level": comparison.is_level(group)}
    row["passed_over"] = group.passed_over
    apart = comparison.apart(group)
    row |= {"from_best": apart.mean, "from_best_95": apart.half} if apart else {"from_best": "", "from_best_95": ""}
    row |= {status: group.statuses.get(status, 0) for status in sorted({run.status for run in comparison.runs})}
    for name in (comparison.monitor, *comparison.figures, *COST):
        found = group.of(name)
        row |= {name: found.mean, f"{name}_se": found.error, f"{name}_median": found.median, f"{name}_n": found.n}
    row["diagnoses"] = ", ".join(f"{n} {kind}" for kind, n in group.diagnoses.most_common())
    row["folders"] = " ".join(str(run.folder.path) for run in group.runs)
    return {key: "" if value != value else value for key, value in row.items()}
