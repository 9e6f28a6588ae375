"""samples: what a run of each group draws, side by side."""

import io

from regen.comparison.load_runs import Run
from regen.comparison.run_group import Comparison
from regen.plotting.png import data_uri

MOST = 12  # groups
WIDEST = 420  # pixels


def samples(comparison: Comparison) -> dict:
    """The samples.png of the first seed of each group; ValueError if there is none."""
    runs = [(i + 1, group.label, run) for i, group in enumerate(comparison.groups) if (run := group.first_with_samples)]
    found = [(i, label, run.config.get("seed"), picture(run)) for i, label, run in runs[:MOST]]
    if not found:
        raise ValueError("no run has drawn samples.png yet.")
    drawn = {number for number, *_ in found}
    return {"pictures": found, "left_out": [i for i in range(1, len(comparison.groups) + 1) if i not in drawn]}


def picture(run: Run) -> str:
    """Return samples.png as a data URI: small grids unchanged, others as WebP."""
    content = run.folder.samples.read_bytes()
    if len(content) <= 40_000:
        return data_uri(content, "PNG")
    from PIL import Image

    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDEST, WIDEST * 4))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return data_uri(buffer.getvalue(), "WEBP")
