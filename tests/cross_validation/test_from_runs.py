"""runs=: what finished runs say of a strength, whoever trained them."""

import csv
import math

import pytest
from helpers import finished_runs as by_hand
from helpers.cross_validation_runs import chosen, runs, typed
from helpers.html_page import Read

from regen.cross_validation.answer import answer
from regen.cross_validation.from_runs import found
from regen.errors import ConfigError

VALLEY = {0: 5.0, 0.1: 4.0, 1.0: 3.0, 12.0: 3.005, 100.0: 6.0}


@pytest.fixture
def analysed(tmp_path, monkeypatch):
    """analysed(strengths) writes runs, types runs= and returns what choice.json says of r1."""

    def of(strengths: dict[float, float], *overrides: str, **how: object) -> dict:
        typed(monkeypatch, f"runs={runs(tmp_path / 'runs', strengths, **how)}", *overrides)
        return chosen(tmp_path / "runs")["answers"][0]

    return of


def test_best_mean_rank_and_strongest_strength_within_one_standard_error_are_chosen_and_help(analysed, capsys):
    outcome = analysed(VALLEY)
    assert outcome["best"] == {"lambda_d": 1.0}
    assert outcome["one_se"] == {"lambda_d": 12.0}
    shown = " ".join(capsys.readouterr().out.split())
    words = (
        "Recommended: lambda_d=1, the smallest mean rank (λ*); the strongest within one standard error of it (λ₁SE) is"
    )
    assert f"{words} lambda_d=12." in shown and "The final model, r1 at lambda_d=1:" in shown
    assert "regularizer=r1 lambda_d=1" in shown
    claim = outcome["claim"]
    assert claim["helps"]
    assert (
        claim["p"] <= 2 / 64
    )  # all six pairs: one of 64 flips of signs is as extreme, for the best or for its neighbour
    assert claim["effect"] == pytest.approx(2.0, abs=0.05)


def test_means_and_gaps_equal_the_files(analysed):
    outcome = analysed({0: 5.0, 1.0: 3.0}, seeds=1)
    values = [3.0 + 0.3 * fold + 0.01 * ((7 * fold + 7) % 5) for fold in (0, 1)]
    (point,) = (one for one in outcome["points"] if one["strength"] == {"lambda_d": 1.0})
    assert point["mean"] == pytest.approx(sum(values) / 2)
    assert point["train"] == pytest.approx(sum(values) / 2 - 0.1)
    assert point["gap"] == pytest.approx(0.1)
    assert point["se"] == pytest.approx(abs(values[1] - values[0]) / 2)


def test_alpha_is_settable(analysed):
    assert not analysed(VALLEY, "alpha=0.001")["claim"]["helps"]


def test_best_strength_at_an_end_of_the_grid_is_reported(analysed):
    assert any("lambda_d=0.1 is the smallest" in one for one in analysed({0: 5.0, 0.1: 3, 1: 4})["sentences"])


def test_without_evidence_terminal_page_and_files_recommend_0(analysed, tmp_path, capsys):
    found = analysed({0: 3.0, 1.0: 3.0}, seeds=4)
    assert found["recommended"] == {"lambda_d": 0} and not found["claim"]["helps"]
    files = chosen(tmp_path / "runs")
    assert files["recommended"] == {"lambda_d": 0} and "regularizer=none" in files["command"]
    shown = " ".join(capsys.readouterr().out.split())
    page = Read((tmp_path / "runs/report.html").read_text()).text
    for text in (shown, page):
        assert "No evidence that regularizing helps" in text and "Recommended: lambda_d=0, no regularization" in text
        assert "The final model, without regularization" in text and "regularizer=none" in text
        assert "python src/train.py data.subset=100 regularizer=r1" not in text


def test_of_a_regularizer_that_is_on_or_off_terminal_and_page_say_on_and_off(tmp_path, monkeypatch, capsys):
    node = {"diffaugment": {"_target_": "regen.regularizers.augment.DiffAugment"}}
    for seed in range(7):
        by_hand.run(tmp_path / f"off_{seed}", 3.0 + seed, seed)
        by_hand.run(tmp_path / f"on_{seed}", 2.0 + 1.1 * seed, seed, regularizer=node)
    typed(monkeypatch, f"runs={tmp_path}")
    shown = " ".join(capsys.readouterr().out.split())
    page = Read((tmp_path / "report.html").read_text()).text
    for text in (shown, page):
        assert "Recommended: off" in text or "Recommended: on" in text
        assert "at 1 " not in text and "at 0 " not in text and "λ = 0" not in text


def test_two_strengths_make_a_map_with_the_best_pair(tmp_path, monkeypatch):
    target = "regen.regularizers.outputs.L2"
    for g, d, fd in ((0.0, 0.0, 5.0), (0.0, 1.0, 4.0), (0.1, 0.0, 4.5), (0.1, 1.0, 3.0)):
        for seed in range(7):
            node = {"l2": {"_target_": target, "lambda_g": g, "lambda_d": d}}
            by_hand.run(tmp_path / f"{g}_{d}_{seed}", fd + 0.01 * seed * (1 + d), seed, regularizer=node)
    typed(monkeypatch, f"runs={tmp_path}")
    (outcome,) = chosen(tmp_path)["answers"]
    assert outcome["best"] == {"lambda_g": 0.1, "lambda_d": 1.0}
    assert outcome["commands"]["best"].endswith("regularizer=l2 lambda_d=1 lambda_g=0.1")
    assert sorted(one["mean"] for one in outcome["points"]) == pytest.approx([3.06, 4.06, 4.53, 5.03])
    assert "3.06★" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "path.png").stat().st_size > 1000


def test_runs_without_folds_are_rounds_by_seed(tmp_path):
    runs(tmp_path, {0: 3.0, 1.0: 2.0}, seeds=5, folds=1)
    (raced,) = found([str(tmp_path)], None).raced
    assert len(answer(raced, "val/fd", higher=False, alpha=0.05).table.rounds) == 5


def test_on_and_off_is_a_choice_too(tmp_path):
    for seed in range(6):
        by_hand.run(tmp_path / f"off_{seed}", 3.0 + seed, seed)
        by_hand.run(tmp_path / f"on_{seed}", 2.0 + seed + 0.1 * seed, seed, regularizer=by_hand.regularizers(r1=10.0))
    (raced,) = found(str(tmp_path), None).raced
    outcome = answer(raced, "val/fd", higher=False, alpha=0.05)
    assert raced.candidate.shown(outcome.best) == "on"
    assert outcome.claim.helps


def test_higher_figure_can_be_better(tmp_path):
    for strength, recall in ((0.0, 0.2), (1.0, 0.9)):
        for seed in range(2):
            node = by_hand.regularizers(r1=strength) if strength else {}
            by_hand.run(tmp_path / f"{strength}_{seed}", 3, seed, regularizer=node, figures={"val/recall": recall})
    known = found(str(tmp_path), "val/recall")
    assert known.higher
    outcome = answer(known.raced[0], known.monitor, known.higher, 0.05)
    assert outcome.point(outcome.best).mean == pytest.approx(0.9)


def test_generalization_is_compared_together_with_copies(analysed, tmp_path, capsys):
    values = {0: -0.4, 0.1: 0.2, 1.0: 0.6, 10.0: 0.5999, 100.0: -0.9}
    outcome = analysed(values, monitor="val/generalization")
    assert (outcome["best"], outcome["one_se"]) == ({"lambda_d": 1.0}, {"lambda_d": 10.0})
    assert outcome["claim"]["helps"] and outcome["claim"]["effect"] == pytest.approx(1.0, abs=0.05)
    assert [one["gap"] for one in outcome["points"]] == pytest.approx([0, 0.001, 0.01, 0.1, 1])
    assert "val/generalization, higher is better" in " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "runs/report.html").read_text()
    assert "higher is better" in page and "gap/copies" in page
    assert (tmp_path / "runs/path.png").stat().st_size > 1000


def test_strengths_with_half_of_the_runs_memorizing_are_skipped_regardless_of_score(analysed, tmp_path, capsys):
    values = {0: 1.0, 0.1: 1.5, 1.0: 3.0, 10.0: 3.005, 100.0: 3.004}
    outcome = analysed(values, memorizing={0: 6, 0.1: 3, 1.0: 2, 100.0: 6})
    assert (outcome["recommended"], outcome["one_se"]) == ({"lambda_d": 1.0}, None)
    reasons = [(one["strength"]["lambda_d"], one["reason"]) for one in outcome["passed_over"]]
    assert reasons == [(0, "6 of 6 runs memorize"), (0.1, "3 of 6 runs memorize"), (100, "6 of 6 runs memorize")]
    assert outcome["claim"]["strength"] == [1.0]
    shown = " ".join(capsys.readouterr().out.split())
    words = "Passed over: lambda_d=0 (6 of 6 runs memorize), lambda_d=0.1 (3 of 6 runs memorize), lambda_d=100 (6 of 6"
    assert words in shown
    assert "λ = 0 memorizes" in shown
    assert "The final model, r1 at lambda_d=1:" in shown and "regularizer=r1 lambda_d=1 " in shown
    page = Read((tmp_path / "runs/report.html").read_text()).text
    assert words in page and "Grey points" in page
    with open(tmp_path / "runs/path.csv", newline="") as file:
        rows = {row["lambda_d"]: row for row in csv.DictReader(file)}
    assert (rows["0.1"]["memorizing"], rows["0.1"]["says"]) == ("3", "passed over: 3 of 6 runs memorize")
    assert rows["1.0"]["says"] == "recommended, λ*, 2 of 6 runs memorize"


def test_a_memorizing_strength_is_passed_over_where_generalization_is_judged_too(analysed, capsys):
    values = {0: 0.9, 1.0: 0.5, 10.0: 0.4}
    outcome = analysed(values, monitor="val/generalization", memorizing={0: 6})
    assert outcome["best"] == {"lambda_d": 1.0}
    assert "copies may improve" not in capsys.readouterr().out


def test_where_every_strength_memorizes_none_is_recommended(analysed, tmp_path, capsys):
    outcome = analysed({0: 5.0, 1.0: 3.0}, memorizing={0: 6, 1.0: 4})
    assert outcome["best"] is outcome["one_se"] is outcome["claim"] is None and outcome["commands"] == {}
    assert chosen(tmp_path / "runs")["command"] is None
    words = "Every strength memorizes, so that none is recommended (0: 6 of 6 runs memorize; 1: 4 of 6 runs memorize)."
    assert words in outcome["sentences"]
    shown = " ".join(capsys.readouterr().out.split())
    assert words in shown and "No final model is recommended." in shown and "python src/train.py" not in shown
    page = Read((tmp_path / "runs/report.html").read_text()).text
    assert "r1 memorizes at lambda_d=0 (6 of 6" in page
    assert "The final model" not in page


def test_where_all_but_0_memorize_0_is_the_best_and_nothing_is_claimed(analysed):
    outcome = analysed({0: 5.0, 0.1: 3.0, 1.0: 3.0}, memorizing={0.1: 6, 1.0: 6})
    assert outcome["best"] == {"lambda_d": 0} and outcome["claim"] is None
    assert "Every strength but 0 memorizes, so that none of them is compared with 0." in outcome["sentences"]


def test_memorizing_regularizer_among_several_is_not_the_best(tmp_path, monkeypatch):
    for seed in range(7):
        by_hand.run(tmp_path / f"none_{seed}", 5.0 + seed, seed)
        for name, fd, kind in (("r1", 1.0, "memorizes"), ("r2", 3.0, "generalizes")):
            node = by_hand.regularizers(**{name: 1.0})
            by_hand.run(tmp_path / f"{name}_{seed}", fd + seed, seed, regularizer=node, kind=kind)
    typed(monkeypatch, f"runs={tmp_path}")
    assert chosen(tmp_path)["regularizer"] == "r2"
    assert "Best: <strong>r2</strong>" in (tmp_path / "report.html").read_text()


def test_of_two_strengths_a_pair_that_memorizes_is_in_square_brackets(tmp_path, monkeypatch):
    target = "regen.regularizers.outputs.L2"
    for g, d, fd in ((0.0, 0.0, 5.0), (0.0, 1.0, 4.0), (0.1, 0.0, 4.5), (0.1, 1.0, 3.0)):
        for seed in range(7):
            node = {"l2": {"_target_": target, "lambda_g": g, "lambda_d": d}}
            kind = "memorizes" if fd == 3.0 else None
            by_hand.run(tmp_path / f"{g}_{d}_{seed}", fd + 0.01 * seed * (1 + d), seed, regularizer=node, kind=kind)
    typed(monkeypatch, f"runs={tmp_path}")
    (outcome,) = chosen(tmp_path)["answers"]
    assert outcome["best"] == {"lambda_g": 0, "lambda_d": 1.0}
    page = (tmp_path / "report.html").read_text()
    assert "4.06★" in page and "[3.06]" in page and "means in square brackets" in page


def test_diverged_runs_count_and_runs_without_a_result_are_named(tmp_path):
    runs(tmp_path, {0: 3.0, 1.0: 2.0})
    by_hand.run(tmp_path / "lost", None, 0, "running", by_hand.regularizers(r1=1.0), fold=0)
    node = by_hand.regularizers(r1=9.0)
    for seed in range(3):
        for fold in range(2):
            by_hand.run(tmp_path / f"diverged_{seed}_{fold}", None, seed, "diverged", node, fold=fold)
    known = found(str(tmp_path), None)
    outcome = answer(known.raced[0], known.monitor, known.higher, 0.05)
    assert known.lacking == ["1 of 19 runs have no result yet or failed: left out"]
    assert [one.diverged for one in outcome.points] == [0, 0, 6]
    assert math.isnan(outcome.points[2].mean)
    assert outcome.best == (1.0,)


def test_runs_that_differ_in_something_else_are_refused(tmp_path):
    runs(tmp_path, {0: 3.0, 1.0: 2.0})
    by_hand.run(tmp_path / "longer", 2.0, 0, regularizer=by_hand.regularizers(r1=1.0), max_iterations=9)
    with pytest.raises(ConfigError, match="the runs differ in max_iterations"):
        found(str(tmp_path), None)


def test_without_a_regularizer_there_is_nothing_to_choose(tmp_path):
    runs(tmp_path, {0: 3.0})
    with pytest.raises(ConfigError, match="with a regularizer, got 6 runs"):
        found(str(tmp_path), None)


def test_runs_trains_nothing_so_other_overrides_are_refused(tmp_path, monkeypatch, capsys):
    runs(tmp_path, {0: 3.0, 1.0: 2.0})
    typed(monkeypatch, f"runs={tmp_path}", "network=mlp", status=78)
    assert "leave out network=mlp" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("folds=1", "folds=1: expected 2 or more, or null"),
        ("rounds=0", "rounds must be at least 1"),
        ("rounds=all", "rounds"),
        ("alpha=0", "alpha=0: expected a number between 0 and 1"),
        ("n_jobs=0", "n_jobs must be at least 1"),
        ("n_strengths=0", "n_strengths must be at least 1"),
        ("refine_rounds=-1", "refine_rounds=-1: expected 0 or more"),
        ("budget=soon", "budget=soon: expected a duration, like budget=30min"),
        ("sweep=a/b", "type sweep=a-b"),
        ("ruonds=3", "ruonds (did you mean rounds"),
        ("data.folds=3", "type folds="),
        ("data.sides=3", "unknown key data.sides"),
    ],
    ids=str,
)
def test_invalid_overrides_of_choose_are_refused(override, words, monkeypatch, capsys):
    typed(monkeypatch, "regularizer=r1", "lambda_d=0,1", override, status=78)
    assert words in capsys.readouterr().err
