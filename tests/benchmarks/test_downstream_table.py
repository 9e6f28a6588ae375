"""The Markdown table of downstream accuracies over runs and data sets."""

import json
from pathlib import Path

import downstream_table
import pytest


def score(method: str, labels: int, accuracy: float, gain: float | str = "nan") -> dict:
    return {
        "method": method,
        "labels": labels,
        "accuracy": accuracy,
        "accuracy_se": 0.03,
        "gain": gain,
        "gain_se": 0.04 if gain != "nan" else "nan",
        "by_class": {"0": accuracy},
        "is_baseline": gain == "nan",
    }


def record(accuracy: float, baselines: dict[str, float], **settings: float) -> dict:
    defaults = {"labels": [50, "all"], "generated": 2000, "imbalance": 1.0, "steps": 400, "batch": 64, "lr": 3e-3}
    scores = [
        each
        for labels in (50, 1257)
        for each in (
            score("real + generated", labels, accuracy, accuracy - max(baselines.values())),
            *(score(name, labels, value) for name, value in baselines.items()),
        )
    ]
    return {
        "task": "augment",
        "split": "test",
        "settings": defaults | settings,
        "generator_labels": 1257,
        "scores": scores,
    }


def write_run(folder: Path, *records: dict) -> None:
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"downstream": records}))


def test_table_has_means_over_runs_and_the_best_baselines(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rare = record(0.5, {"real": 0.6}, imbalance=10.0)
    write_run(tmp_path / "a0", record(0.8, {"real": 0.7, "real + classical": 0.9}), rare)
    write_run(tmp_path / "a1", record(0.9, {"real": 0.8, "real + classical": 0.7}))
    write_run(tmp_path / "b0", record(0.8, {"real": 0.9}))
    downstream_table.main([f"digits={tmp_path}/a*", f"photos={tmp_path}/b*"])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header == "| task | labels | method | digits: accuracy | gain | photos: accuracy | gain |"
    # standard errors: of the runs 0.05 with 0.03 of accuracies, 0.1 with 0.04 of gains
    digits = "85.0 ± 5.8 (real or real + classical, 85.0) | 0 ± 11"
    assert rows[0] == f"| `augment` | 50 | real + generated | {digits} | 80.0 ± 3.0 (real, 90.0) | −10.0 ± 4.0 |"
    assert rows[1].startswith("| `augment` | all | real + generated |")
    assert rows[2].startswith(
        "| `augment`, imbalance=10 | 50 | real + generated | 50.0 ± 3.0 (real, 60.0) | −10.0 ± 4.0 |  |"
    )
    assert len(rows) == 4
