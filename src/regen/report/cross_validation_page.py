"""choose.html: the choice as a page, one file that opens without a server or a network."""

from collections.abc import Sequence

from markupsafe import Markup

from regen.cross_validation.result import Answer, Choice
from regen.cross_validation.sentences import describe_final_model, sentences
from regen.cross_validation.text import cells, kinds
from regen.metrics.number_format import number
from regen.metrics.registry import parse
from regen.plotting.png import data_uri
from regen.plotting.svg import plot
from regen.report import path_images, sample_grids
from regen.report.page_templates import templates
from regen.report.path_images import label
from regen.report.path_plots import panels
from regen.report.sample_grids import Row
from regen.utils.safe_files import write_safely


def write(choice: Choice, with_samples: bool) -> None:
    """Write path.png and choose.html into the choice's folder, and strip.png where samples are drawn, too."""
    strips = [sample_grids.strip(answer) if with_samples else [] for answer in choice.answers]
    path_images.write(choice, strips)
    write_safely(choice.out / "choose.html", page(choice, strips).encode())


def page(choice: Choice, strips: Sequence[Sequence[Row]]) -> str:
    """The whole page, as HTML."""
    best, meaning = choice.winner, parse(choice.monitor).figure.meaning
    told = [_told(choice, answer, found) for answer, found in zip(choice.answers, strips, strict=True)]
    drawn = [_panels(i, choice, answer) for i, answer in enumerate(choice.answers)]
    rows = [
        [(label(choice, answer, row), _uri(row), row.reason) for row in found]
        for answer, found in zip(choice.answers, strips, strict=True)
    ]
    parts = zip(choice.answers, told, drawn, rows, strict=True)
    swept = not choice.settings["runs"] and not choice.settings["out"]  # then compare.html is made as the sweep ends
    compared = "compare.html" if swept or (choice.out / "compare.html").exists() else None
    found = templates()
    return found.get_template("choose.html").render(
        choice=choice,
        best=best,
        parts=list(parts),
        meaning=meaning,
        name=choice.out.name,
        compared=compared,
        headline=" ".join(sentences(choice, best)[:2]) if best else "",
        final=describe_final_model(best) if best else "",
    )


def _told(choice: Choice, answer: Answer, rows: Sequence[Row]) -> dict:
    """What the template says of an answer: sentences, its table, and whether pictures are of points in the plane."""
    titles, table = cells(choice, answer)
    plane = any(row.picture is not None and row.picture.shape[2] <= 3 * row.picture.shape[1] for row in rows)
    rows_of_table = list(zip(table, kinds(answer), strict=True))
    return {"sentences": sentences(choice, answer), "columns": titles, "rows": rows_of_table, "plane": plane}


def _panels(i: int, choice: Choice, answer: Answer) -> list[tuple[str, Markup]]:
    found = panels(choice, answer)
    points = "; ".join(f"{number(p.mean)} at {answer.candidate.shown(p.strength)}" for p in answer.points)
    return [
        (title, plot(f"path{i}-{k}", f"{title} along the strength: {points}", draw))
        for k, (title, draw) in enumerate(found.items())
    ]


def _uri(row: Row) -> str | None:
    from io import BytesIO

    from PIL import Image

    if row.picture is None:
        return None
    buffer = BytesIO()
    Image.fromarray(row.picture.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "PNG")
