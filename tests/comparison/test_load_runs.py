"""gather reads the folders of runs, however these ended."""

import logging

import pytest
from helpers.finished_runs import run

from regen.comparison.load_runs import common_folder, gather
from regen.errors import ConfigError


def test_folder_of_runs_loads_all_runs_in_numeric_order(tmp_path):
    for i in (10, 9, 0):
        run(tmp_path / f"sweep/{i}_seed-{i}", seed=i)
    runs, failed = gather(tmp_path / "sweep")
    assert [one.config["seed"] for one in runs] == [0, 9, 10]
    assert failed == []
    assert common_folder(runs) == tmp_path / "sweep"


def test_a_run_a_list_and_a_glob_are_understood_and_nothing_counts_twice(tmp_path):
    one, other = run(tmp_path / "a/0"), run(tmp_path / "b/0", seed=1)
    assert [found.folder.path for found in gather(one)[0]] == [one]
    assert [found.folder.path for found in gather([tmp_path / "a", tmp_path / "b", one])[0]] == [one, other]
    assert [found.folder.path for found in gather(str(tmp_path / "*"))[0]] == [one, other]
    assert common_folder(gather(str(tmp_path / "*"))[0]) == tmp_path


def test_folders_of_folders_of_runs_are_searched(tmp_path):
    deep = run(tmp_path / "sweep/fold_0/3_r1")
    assert [found.folder.path for found in gather(tmp_path / "sweep")[0]] == [deep]


def test_run_of_an_earlier_version_is_left_out_with_a_warning(tmp_path, caplog):
    path = run(tmp_path / "0")
    former = run(tmp_path / "1", seed=1, chunk=4)
    with caplog.at_level(logging.WARNING):
        assert [found.folder.path for found in gather(tmp_path)[0]] == [path]
    assert str(former) in caplog.text and "earlier version" in caplog.text


def test_job_that_ended_before_training_is_named(tmp_path):
    run(tmp_path / "0")
    (tmp_path / "1" / ".hydra").mkdir(parents=True)
    assert gather(tmp_path)[1] == [tmp_path / "1"]


def test_the_configuration_of_hydra_in_the_folder_of_a_failed_job_is_not_a_run(tmp_path):
    (tmp_path / "sweep/1" / ".hydra").mkdir(parents=True)
    (tmp_path / "sweep/1" / ".hydra/config.yaml").write_text("data: {}\nmonitor: ${data.monitor}\n")
    with pytest.raises(ConfigError, match="no run there"):
        gather(tmp_path / "sweep")


def test_a_run_without_a_result_is_running_and_has_no_figures(tmp_path):
    found = gather(run(tmp_path / "0", status="running", curve=(3.0, 2.0)))[0][0]
    assert (found.status, found.monitor, found.figure("val/fd")) == ("running", "val/fd", None)
    assert found.curves == {"val/fd": [(100.0, 3.0), (200.0, 2.0)]}


def test_figures_that_are_not_finite_are_none(tmp_path):
    found = gather(run(tmp_path / "0", figures={"gap": "nan"}))[0][0]
    assert (found.figure("gap"), found.figure("val/fd"), found.figure("seconds")) == (None, 3.0, 60.0)


def test_a_log_cut_short_by_a_kill_is_no_reason_to_lose_the_run(tmp_path):
    path = run(tmp_path / "0", curve=(3.0,))
    (path / "metrics.csv").write_text("iteration,images_seen,val/fd\n1,100,3.0\n2,20")
    assert gather(path)[0][0].curves == {"val/fd": [(100.0, 3.0)]}


def test_a_damaged_run_is_left_out_with_a_warning(tmp_path, caplog):
    run(tmp_path / "0")
    (run(tmp_path / "1") / "config.yaml").write_text("data: [")
    with caplog.at_level(logging.WARNING):
        assert len(gather(tmp_path)[0]) == 1
    assert "is left out" in caplog.text


def test_missing_runs_are_an_error_with_the_searched_path(tmp_path):
    with pytest.raises(ConfigError, match=r"runs=.*nothing: no run there; looked in .*nothing"):
        gather(tmp_path / "nothing")


def test_result_of_an_older_version_is_left_out_with_the_renamed_key(tmp_path, caplog):
    run(tmp_path / "new")
    old = run(tmp_path / "old")
    (old / "result.json").write_text((old / "result.json").read_text().replace('"diagnosis"', '"verdict"'))
    runs, _ = gather(tmp_path)
    assert [one.folder.path.name for one in runs] == ["new"]
    assert "older version" in caplog.text and "verdict" in caplog.text and "diagnosis" in caplog.text
