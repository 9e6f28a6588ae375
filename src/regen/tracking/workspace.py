"""W&B workspace with panels that compare runs."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regen.config.keys import REPEATS
from regen.errors import ConfigError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace

GAPS = ("gap", "gap/auc", "gap/copies")
COSTS = ("images_per_second", "seconds", "peak_memory_mb")
LOSSES = (("d/loss", "g/loss"), ("d/data", "g/data"), ("d/real_score", "d/fake_score"))


@dataclass(frozen=True)
class Shown:
    """Content of a workspace.

    monitor   the metric of quality, and whether more is better
    axes      keys in which runs differ; columns sweep/… in W&B
    group     the sweep that it is limited to; None: all runs, grouped by sweep
    """

    project: str
    entity: str
    name: str
    monitor: str
    higher: bool
    axes: Sequence[str]
    group: str | None = None


def workspace(shown: Shown) -> "Workspace":
    """Create panels of curves, of the monitored metric against gap and cost, of axes, configurations and samples.

    Raises ConfigError if wandb-workspaces is not installed.
    """
    ws, _ = libraries()
    settled = [axis for axis in shown.axes if axis not in REPEATS]
    by_axes = shown.group and settled
    return ws.Workspace(
        entity=shown.entity,
        project=shown.project,
        name=shown.name,
        sections=[_curves(shown), _trade_offs(shown), _configurations(shown), _sweep()],
        settings=ws.WorkspaceSettings(x_axis="images_seen", max_runs=20),
        runset_settings=ws.RunsetSettings(
            filters=f"Group = '{shown.group}'" if shown.group else "",
            groupby=[ws.Config(f"sweep/{axis}") for axis in settled] if by_axes else [ws.Metric("Group")],
            pinned_columns=[f"summary:{_at_the_end(shown.monitor)}", "summary:gap", "summary:diagnosis"],
        ),
    )


def libraries():
    """Import wandb_workspaces.workspaces and reports.v2 without warnings of pydantic's old style."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Pydantic V1 style", DeprecationWarning)
            import wandb_workspaces.reports.v2 as wr
            import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ConfigError("wandb-workspaces is not installed: pip install 'regen[view]'") from error
    return ws, wr


def _curves(shown: Shown) -> "Section":
    ws, wr = libraries()
    together = ((shown.monitor,), *((gap,) for gap in GAPS), *LOSSES)
    panels = [wr.LinePlot(title=" and ".join(names), x="images_seen", y=list(names)) for names in together]
    return ws.Section(name="Quality, gap and losses against images seen", is_open=True, panels=panels)


def _trade_offs(shown: Shown) -> "Section":
    ws, wr = libraries()
    quality = wr.SummaryMetric(_at_the_end(shown.monitor))
    panels = [
        wr.ScatterPlot(title=f"{shown.monitor} against {name}", x=wr.SummaryMetric(name), y=quality)
        for name in ("gap", *COSTS)
    ]
    return ws.Section(name="Quality against gap and cost", is_open=True, panels=panels)


def _configurations(shown: Shown) -> "Section":
    ws, wr = libraries()
    measured = [_at_the_end(shown.monitor), _best(shown), "gap", "images_per_second"]
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(f"sweep/{axis}"), display_name=axis) for axis in shown.axes]
    columns += [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(name)) for name in measured]
    panels = [wr.ParallelCoordinatesPlot(title="Axes", columns=columns), wr.RunComparer(diff_only="split")]
    return ws.Section(name="Settings in which runs differ", is_open=True, panels=panels)


def _sweep() -> "Section":
    ws, wr = libraries()
    panels = [
        wr.MediaBrowser(title="Samples", media_keys=["samples"]),
        wr.MediaBrowser(title="Regularization path", media_keys=["path"]),
        wr.MediaBrowser(title="Comparison", media_keys=["compare"]),
    ]
    return ws.Section(name="Samples, and the summaries of sweeps", is_open=True, panels=panels)


def _at_the_end(figure: str) -> str:
    """Return the column of a metric's last value; metrics with a best value have two columns."""
    return f"{figure}.last"


def _best(shown: Shown) -> str:
    return f"{shown.monitor}.{'max' if shown.higher else 'min'}"
