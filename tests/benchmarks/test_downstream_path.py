"""The picture of downstream accuracies against a regularizer's strength."""

import json
from pathlib import Path

import downstream_path
import flow_memorization
import pytest


def write_run(folder: Path, strength: float, names: tuple[str, ...], accuracy: float) -> None:
    """Write the files of a run that the two tasks have measured."""
    folder.mkdir()
    nodes = "".join(f"  {name}: {{lambda_d: {strength}}}\n" for name in names)
    (folder / "config.yaml").write_text(f"regularizer:\n{nodes}")
    methods = {
        "cas": ("generated", "real"),
        "augment": ("real + generated", "real + classical + generated", "real", "real + classical"),
    }
    records = [
        {
            "task": task,
            "split": "test",
            "scores": [
                {"method": name, "labels": labels, "accuracy": accuracy * labels / 100, "accuracy_se": 0.01}
                for labels in (100, 50)
                for name in methods[task]
            ],
        }
        for task in methods
    ]
    (folder / "result.json").write_text(json.dumps({"downstream": records}))


def test_downstream_path_prints_scores_at_most_labels_and_draws_series(tmp_path: Path, capsys: pytest.CaptureFixture):
    for number, (strength, names) in enumerate([(10.0, ("r1",)), (0.0, ("r1",)), (10.0, ("r1", "diffaugment"))]):
        write_run(tmp_path / str(number), strength, names, 0.5 + 0.1 * number)
    downstream_path.main([str(tmp_path), str(tmp_path / "path.png")])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3 * 6
    assert rows[0].split() == ["r1", "r1.lambda_d=0", "cas", "generated", "60.0", "±", "1.0"]
    assert "r1 + diffaugment" in rows[-1] and "70.0" in rows[-1]
    assert (tmp_path / "path.png").stat().st_size > 10_000


def test_downstream_path_leaves_out_records_of_imbalanced_classes(tmp_path: Path):
    write_run(tmp_path / "run", 1.0, ("r1",), 0.5)
    path = tmp_path / "run/result.json"
    content = json.loads(path.read_text())
    other = json.loads(path.read_text())["downstream"][0] | {"settings": {"imbalance": 10.0}}
    other["scores"][0]["accuracy"] = 0.1
    path.write_text(json.dumps({"downstream": [*content["downstream"], other]}))
    assert downstream_path.read_run(path.parent, "r1.lambda_d")[2]["cas", "generated"]["accuracy"] == 0.5


@pytest.mark.parametrize("benchmark", [downstream_path, flow_memorization])
def test_a_folder_without_runs_is_named(benchmark, tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit, match="2"):
        benchmark.main([str(tmp_path / "nothing"), str(tmp_path / "path.png")])
    assert f"{tmp_path / 'nothing'} has no runs with" in capsys.readouterr().err
