"""The log metrics.csv, which continues from a checkpoint."""

from pathlib import Path

from regen.runs.csv_log import CSVLog


def test_later_name_gets_a_new_column(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "metrics.csv")
    log.log_metrics({"iteration": 1, "images_seen": 64, "d/loss": 0.5})
    log.log_metrics({"iteration": 2, "images_seen": 128, "val/fd": 3.0})
    assert (tmp_path / "metrics.csv").read_text().split() == [
        "iteration,images_seen,d/loss,val/fd",
        "1,64,0.5,",
        "2,128,,3.0",
    ]


def test_resumed_log_drops_rows_after_the_checkpoint(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "metrics.csv")
    for i in (1, 2, 3):
        log.log_metrics({"iteration": i, "images_seen": 64 * i, "d/loss": i / 2} | ({"late": 1} if i == 3 else {}))
    again = CSVLog(tmp_path / "metrics.csv")
    again.go_on(2)
    again.log_metrics({"iteration": 3, "images_seen": 192, "d/loss": 9.0})
    rows = ["iteration,images_seen,d/loss", "1,64,0.5", "2,128,1.0", "3,192,9.0"]
    assert (tmp_path / "metrics.csv").read_text().split() == rows
