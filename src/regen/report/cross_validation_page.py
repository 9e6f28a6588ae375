"""The page of a cross-validation, report.html: one file that opens without a server or a network."""

from collections.abc import Sequence
from functools import partial

from regen.cross_validation.answer import Answer
from regen.cross_validation.result import Choice
from regen.cross_validation.sentences import final_model_heading, sentences
from regen.cross_validation.text import cells, kinds
from regen.metrics.number_format import number
from regen.metrics.registry import parse
from regen.plotting.png import data_uri
from regen.plotting.svg import plot
from regen.report import path_images, sample_grids
from regen.report.comparison_sections import TRAINING_KEY
from regen.report.page import Panel, Section, render_page
from regen.report.path_images import label
from regen.report.path_plots import has_training, panels
from regen.report.sample_grids import Row
from regen.utils.safe_files import write_safely


def write(choice: Choice, with_samples: bool) -> None:
    """Write path.png and report.html into the choice's folder, and samples.png where samples are drawn, too."""
    strips = [sample_grids.strip(answer) if with_samples else [] for answer in choice.answers]
    path_images.write(choice, strips)
    write_safely(choice.out / "report.html", page(choice, strips).encode())


def page(choice: Choice, strips: Sequence[Sequence[Row]]) -> str:
    """Return the whole page as HTML."""
    best = choice.winner
    parts = list(zip(choice.answers, strips, strict=True))
    sections = [
        Section(
            f"answer{i}", answer.candidate.name, partial(_answer, i=i, answer=answer, rows=rows), "path_of_fits.html"
        )
        for i, (answer, rows) in enumerate(parts)
    ]
    guide = Section("guide", "How to read this page", _guide, "reading_guide.html")
    values = {
        "choice": choice,
        "best": best,
        "name": choice.out.name,
        "headline": " ".join(sentences(choice, best)[:2]) if best else "",
        "heading": final_model_heading(best) if best else "",
    }
    return render_page("cross_validation.html", [*sections, guide], choice, values)


def _guide(choice: Choice) -> dict:
    swept = not choice.settings["runs"] and not choice.settings["out"]  # then compare.html is made as the sweep ends
    compared = "compare.html" if swept or (choice.out / "compare.html").exists() else None
    return {"choice": choice, "meaning": parse(choice.monitor).figure.meaning, "compared": compared}


def _answer(choice: Choice, i: int, answer: Answer, rows: Sequence[Row]) -> dict:
    """Return the values of an answer for the template; the header has the first sentences of the best one."""
    columns, table = cells(choice, answer)
    shown = sentences(choice, answer)
    return {
        "answer": answer,
        "sentences": shown[2:] if answer is choice.winner else shown,
        "columns": columns,
        "table": list(zip(table, kinds(answer), strict=True)),
        "panels": _panels(i, choice, answer),
        "rows": [(label(choice, answer, row), _uri(row), row.reason) for row in rows],
        "is_plane": any(row.picture is not None and row.picture.shape[2] <= 3 * row.picture.shape[1] for row in rows),
    }


def _panels(i: int, choice: Choice, answer: Answer) -> list[Panel]:
    points = "; ".join(f"{number(p.mean)} at {answer.candidate.shown(p.strength)}" for p in answer.points)
    found = []
    for k, (title, draw) in enumerate(panels(choice, answer).items()):
        key = TRAINING_KEY if k == 0 and len(answer.candidate.axes) != 2 and has_training(answer) else ()
        drawn = plot(f"path{i}-{k}", f"{title} along the strength: {points}", draw)
        is_figure = "/" in title and " " not in title
        found.append(Panel(parse(title).axis_label if is_figure else title, drawn, title if is_figure else "", key))
    return found


def _uri(row: Row) -> str | None:
    from io import BytesIO

    from PIL import Image

    if row.picture is None:
        return None
    buffer = BytesIO()
    Image.fromarray(row.picture.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "PNG")
