"""The workspace for comparing runs in W&B, built and written without an account."""

import json
import sys
from pathlib import Path

import pytest
from helpers.finished_runs import regularizers, run

from regen.cli import entry_point, wandb_view
from regen.tracking.saved_view import specification
from regen.tracking.workspace import Shown, libraries, workspace

ALL = Shown("regen", "", "regen", "val/recall", True, ["regularizer", "lambda_d"])


def made(shown: Shown) -> dict:
    return json.loads(specification(workspace(shown)))["section"]


def panels(section: dict, kind: str) -> list[dict]:
    sections = section["panelBankConfig"]["sections"]
    return [panel["config"] for one in sections for panel in one["panels"] if panel["viewType"] == kind]


def test_curves_of_the_view_are_against_images_seen_and_runs_grouped_by_sweep() -> None:
    section = made(ALL)
    curves = panels(section, "Run History Line Plot")
    assert {curve["xAxis"] for curve in curves} == {section["settings"]["xAxis"]} == {"images_seen"}
    drawn = {name for curve in curves for name in curve["metrics"]}
    assert {"val/recall", "gap", "gap/auc", "gap/copies", "d/loss", "g/loss"} <= drawn
    assert section["runSets"][0]["grouping"] == [{"section": "run", "name": "group"}]


def test_view_plots_quality_against_gap_and_cost_with_axes_configurations_and_samples() -> None:
    section = made(ALL)
    scatter = panels(section, "Scatter Plot")
    assert {plot["yAxis"] for plot in scatter} == {"summary:val/recall.last"}
    assert [plot["xAxis"] for plot in scatter][:2] == ["summary:gap", "summary:images_per_second"]
    (parallel,) = panels(section, "Parallel Coordinates Plot")
    accessors = [column["accessor"] for column in parallel["columns"]]
    assert accessors[:2] == ["config:sweep/regularizer.value", "config:sweep/lambda_d.value"]
    assert "summary:val/recall.max" in accessors
    assert panels(section, "Run Comparer") == [{"diffOnly": "split"}]
    assert [key for one in panels(section, "Media Browser") for key in one["mediaKeys"]] == [
        "samples",
        "path",
        "compare",
    ]


def test_written_view_is_read_back_unchanged() -> None:
    ws, _ = libraries()
    view = workspace(ALL)
    again = ws.Workspace._from_model(view._to_model())
    kinds = [[type(panel) for panel in section.panels] for section in view.sections]
    assert [[type(panel) for panel in section.panels] for section in again.sections] == kinds


def typed(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> int | None:
    monkeypatch.setattr(sys, "argv", ["wandb_view.py", *overrides])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    try:
        entry_point.run(wandb_view.main)
    except SystemExit as leaving:
        return leaving.code
    return None


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_missing_account_is_reported_and_the_view_of_a_sweep_written(
    tmp_path: Path, no_account, monkeypatch, capsys
) -> None:
    sweep = tmp_path / "sweeps/mine"
    for strength in (0.1, 1.0):
        for seed in (0, 1):
            job = run(sweep / f"{strength}_{seed}", seed=seed, regularizer=regularizers(r1=strength))
            (job / "job.json").write_text(
                json.dumps({"overrides": ["regularizer=r1", f"lambda_d={strength}", f"seed={seed}"]})
            )
    assert typed(monkeypatch, f"sweep={sweep}") == 2
    assert capsys.readouterr().err.splitlines() == [
        f"no W&B account: type wandb login, then repeat this command. The view is in {sweep / 'wandb_view.json'}"
    ]
    (runs,) = json.loads((sweep / "wandb_view.json").read_text())["section"]["runSets"]
    assert [group["name"] for group in runs["grouping"]] == ["sweep/lambda_d.value"]
    assert [(one["key"]["name"], one["value"]) for one in runs["filters"]["filters"]] == [("group", "mine")]


def test_a_path_to_no_sweep_is_an_error(no_account, monkeypatch, capsys) -> None:
    assert typed(monkeypatch, "sweep=outputs/nowhere") == 78
    assert "sweep=outputs/nowhere: no such folder" in capsys.readouterr().err


def test_missing_package_is_an_error_with_the_command_to_install(no_account, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    assert typed(monkeypatch) == 78
    assert "pip install 'regen[view]'" in capsys.readouterr().err
