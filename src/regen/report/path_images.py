"""path.png and samples.png."""

from collections.abc import Sequence

from regen.cross_validation.answer import Answer
from regen.cross_validation.result import Choice
from regen.plotting.plots import GREY, INK, blank, png_bytes
from regen.report.path_plots import panels
from regen.report.sample_grids import Row
from regen.utils.safe_files import write_safely

SIZE = (4.4, 3.0)  # inches of a panel


def write(choice: Choice, strips: Sequence[Sequence[Row]]) -> None:
    """Draw both into the choice's folder; a strip for each answer, one below the other."""
    write_safely(choice.out / "path.png", path(choice))
    if any(row.picture is not None for rows in strips for row in rows):
        write_safely(choice.out / "samples.png", strip(choice, strips))


def path(choice: Choice) -> bytes:
    """A row of panels for each answer."""
    drawn = [panels(choice, answer) for answer in choice.answers]
    columns = max(map(len, drawn))
    figure = blank(SIZE[0] * columns, SIZE[1] * len(drawn) + 0.3)
    figure.subplots_adjust(
        left=0.6 / (SIZE[0] * columns), right=0.985, bottom=0.16 / len(drawn), top=1 - 0.16 / len(drawn), hspace=0.6
    )
    for row, (answer, found) in enumerate(zip(choice.answers, drawn, strict=True)):
        for column, (title, draw) in enumerate(found.items()):
            axes = figure.add_subplot(len(drawn), columns, row * columns + column + 1)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8, colors=INK)
            draw(axes)
            axes.set_title(f"{answer.candidate.name}: {title}", fontsize=10, color=INK, loc="left", pad=18)
    return png_bytes(figure)


def strip(choice: Choice, strips: Sequence[Sequence[Row]]) -> bytes:
    """A row for each strength; scatter plots stand side by side instead."""
    rows = [(answer, row) for answer, found in zip(choice.answers, strips, strict=True) for row in found]
    shapes = [row.picture.shape[1:] for _, row in rows if row.picture is not None]
    height, width = shapes[0]
    across = 1 if width > 3 * height else min(4, len(rows))
    down = -(-len(rows) // across)
    wide, high = (6.4, 6.4 * height / width * 0.75) if across == 1 else (2.6, 2.8)
    figure = blank(wide * across, max(high * down, 1.0))
    for i, (answer, row) in enumerate(rows):
        axes = figure.add_axes(_box(i, across, down))
        axes.set_axis_off()
        if row.picture is not None:
            axes.imshow(row.picture.permute(1, 2, 0).numpy(), interpolation="nearest" if across == 1 else "antialiased")
        else:
            axes.text(0.5, 0.5, row.reason, ha="center", va="center", color=GREY, transform=axes.transAxes)
        name = label(choice, answer, row)
        if across == 1:
            figure.text(0.01, (down - i - 0.5) / down, name, va="center", fontsize=9, color=INK)
        else:
            axes.set_title(name.replace("\n", "  "), fontsize=9, color=INK)
    return png_bytes(figure)


def label(choice: Choice, answer: Answer, row: Row) -> str:
    """The strength, and whether it was chosen."""
    recommended = answer.recommended if answer.recommended != answer.best else None
    marked = (("recommended", recommended), ("λ*", answer.best), ("λ₁SE", answer.one_se))
    chosen = [name for name, one in marked if one == row.strength]
    several = [answer.candidate.name] if len(choice.answers) > 1 else []
    return "\n".join([*several, answer.candidate.shown(row.strength), *([" = ".join(chosen)] if chosen else [])])


def _box(i: int, across: int, down: int) -> tuple[float, float, float, float]:
    column, row = i % across, i // across
    if across == 1:
        return 0.25, (down - row - 1) / down, 0.75, 0.96 / down
    return (column + 0.02) / across, (down - row - 0.98) / down, 0.96 / across, 0.86 / down
