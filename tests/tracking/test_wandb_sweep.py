"""The run of a sweep in W&B compares the runs, continues with the sweep, and never stops it."""

import json
import logging
from pathlib import Path

import pytest
from helpers.finished_runs import regularizers, run
from helpers.wandb_records import inspected

from regen.comparison.load_runs import gather
from regen.comparison.run_group import compare_runs
from regen.tracking.lambda_table import Point, lines, picture, points
from regen.tracking.wandb_sweep import SweepSummary, _summary, write_summary
from regen.utils.json_files import read_json

LOGGER = {"project": "regen", "offline": None, "timeout_seconds": 20}
TYPED = ("-m", "sweep=mine", "logger=wandb", "regularizer=l2", "seed=0", "metrics=[frechet]", "monitor=val/fd")
TYPED += ("max_iterations=4",)


@pytest.mark.slow
def test_each_job_is_a_wandb_run_with_axes_and_the_sweep_has_a_run_that_resumes(train, tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps/mine"
    train(*TYPED, "lambda_g=0,0.1", f"hydra.sweep.dir={sweep}")
    recorded = [inspected(path) for path in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(recorded) == 3 and all('"run_group":"mine"' in run for run in recorded)
    (job,) = (run for run in recorded if '"display_name":"lambda_g-0.1"' in run)
    assert '"sweep/lambda_g":0.1' in job and "sweep/seed" not in job

    tracker = read_json(sweep / "wandb.json")["id"]
    train(*TYPED, "lambda_g=0,0.1,1", f"hydra.sweep.dir={sweep}")
    assert read_json(sweep / "wandb.json")["id"] == tracker
    again = sorted((tmp_path / "wandb").glob(f"offline-run-*-{tracker}"))
    first, second = (json.loads(inspected(path, "--summary"))["summary"] for path in again)
    assert (first["runs"], second["runs"], second["comparison"]["nrows"]) == (2, 3, 3)
    assert second["samples"]["captions"][0] == second["best"]
    assert {"path", "path_table", "path_plot_table", "compare"} <= set(first)


def test_a_sweep_in_which_all_settings_memorize_has_no_best_in_wandb(tmp_path: Path) -> None:
    for seed in (0, 1):
        run(tmp_path / f"{seed}", 1.0, seed, kind="memorizes")
    run(tmp_path / "other", 0.5, regularizer=regularizers(r1=1.0), kind="memorizes")
    summary = _summary(compare_runs(gather(tmp_path)[0]))
    assert summary["passed_over"] == 2 and "best" not in summary
    run(tmp_path / "honest", 9.0, regularizer=regularizers(r1=2.0))
    summary = _summary(compare_runs(gather(tmp_path)[0]))
    assert (summary["best"], summary["best/val/fd"]) == ("regularizer=r1 lambda_d=2", 9.0)


def test_sweep_without_the_logger_reports_nothing(tmp_path: Path) -> None:
    write_summary(tmp_path / "sweeps/mine", {}, SweepSummary("val/fd"))
    assert not list(tmp_path.iterdir())


def test_failure_of_wandb_in_a_sweep_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sweeps/mine").mkdir(parents=True)
    with caplog.at_level(logging.WARNING, "regen"):
        write_summary(
            tmp_path / "sweeps/mine", LOGGER, SweepSummary("val/fd", pictures={"path": tmp_path / "nowhere.png"})
        )
    assert "W&B has no summary of" in caplog.text


def test_a_path_is_the_mean_over_seeds_for_each_strength_of_each_regularizer(tmp_path: Path) -> None:
    for name, fd in (("r1", 3.0), ("l2", 4.0)):
        for strength in (0.1, 1.0):
            for seed in (0, 1):
                place = tmp_path / f"{name}-{strength}-{seed}"
                run(place, fd=fd + strength + seed, seed=seed, regularizer=regularizers(**{name: strength}))
    run(tmp_path / "none", fd=9.0)
    found = points(compare_runs(gather(tmp_path)[0]))
    assert [point[:2] for point in found] == [
        ("regularizer=l2: lambda_d", 0.1),
        ("regularizer=l2: lambda_d", 1.0),
        ("regularizer=r1: lambda_d", 0.1),
        ("regularizer=r1: lambda_d", 1.0),
    ]
    assert [point.mean for point in found] == pytest.approx([4.6, 5.5, 3.6, 4.5])
    assert [point.error for point in found] == pytest.approx([0.5] * 4)  # s / √2 of two values 1 apart


def test_a_line_takes_two_points_and_a_picture_a_line() -> None:
    known = [Point("a", 1.0, 3.0, 0.1), Point("a", 0.0, 4.0, float("nan")), Point("b", 1.0, 5.0, 0.1)]
    assert lines(known) == {"a": [known[1], known[0]]}
    drawn = picture("val/fd", known)
    assert drawn.shape[0] == 3 and len(drawn.unique()) > 20
    with pytest.raises(ValueError, match="two strengths"):
        picture("val/fd", known[2:])
