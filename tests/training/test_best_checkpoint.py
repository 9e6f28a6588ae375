"""What a run is after: the best checkpoint by any figure, and giving up when nothing gets better."""

import csv
import math

import pytest

from regen.training.callbacks import Goal
from regen.utils.json_files import read_json


@pytest.mark.parametrize(
    ("higher", "value", "best", "better"),
    [
        (False, 2.0, 3.0, True),
        (False, 3.0, 3.0, False),
        (True, 4.0, 3.0, True),
        (True, 2.0, 3.0, False),
        (True, 2.0, None, True),
        (False, math.nan, 3.0, False),
        (False, math.nan, None, False),
        (False, math.inf, None, False),
    ],
)
def test_better_is_lower_or_higher_by_direction_and_never_non_finite(higher, value, best, better) -> None:
    assert Goal("val/x", higher).is_better(value, best) == better


def test_a_run_stops_after_as_many_evaluations_in_vain_as_patience_allows(train) -> None:
    still = ["model.optimizer_g.lr=0", "model.optimizer_d.lr=0", "model.ema_decay=0"]
    run = train(*still, "max_iterations=20", "evaluate_every=4", "data.batch_size=64", "patience=2")
    result = read_json(run / "result.json")
    assert result["status"] == "finished"
    assert result["iteration"] == 12  # evaluated at 4, 8 and 12, and the first was the best
    assert result["reason"] == "stopped early: val/generalization has not improved since iteration 4"


def test_a_figure_that_is_better_when_higher_chooses_the_best_checkpoint(train) -> None:
    run = train("max_iterations=12", "evaluate_every=4", "metrics=[density_coverage]", "monitor=val/density")
    with open(run / "metrics.csv", newline="") as file:
        rows = [(float(r["val/density"]), int(r["iteration"])) for r in csv.DictReader(file) if r["val/density"]]
    best = read_json(run / "result.json")["best"]
    assert (best["val/density"], -best["iteration"]) == max((density, -iteration) for density, iteration in rows)
    assert len(rows) == 3
