"""Groups, their means, and what makes a difference: each against a closed form."""

import json
import math
import statistics

import pytest
from helpers.finished_runs import regularizers, run
from scipy.stats import ttest_ind, ttest_rel

from regen.comparison.load_runs import gather
from regen.comparison.paired_difference import difference
from regen.comparison.run_group import compare_runs, summary
from regen.errors import ConfigError
from regen.metrics.registry import is_higher_better
from regen.utils.json_files import read_json, write_json


def compared(path, *asked, **options):
    return compare_runs(gather(path)[0], *asked, **options)


def test_standard_error_of_1_2_3_is_1_over_root_3():
    found = summary([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.median) == (3, 2, 2)
    assert found.error == pytest.approx(1 / math.sqrt(3))
    assert math.isnan(summary([1.0]).error)
    assert summary([]).n == 0


def test_runs_that_differ_only_in_seed_and_fold_form_a_group(tmp_path):
    for i, (value, seed, fold) in enumerate(((1.0, 0, 0), (1.0, 1, 0), (1.0, 0, 1), (2.0, 0, 0))):
        run(tmp_path / f"{i}", seed=seed, fold=fold, regularizer=regularizers(r1=value))
    assert {group.label: len(group.runs) for group in compared(tmp_path).groups} == {"lambda_d=1": 3, "lambda_d=2": 1}


def test_a_run_made_twice_counts_once(tmp_path):
    """In a grid over lambda_d, `none` is the same job for every strength."""
    for i, seed in enumerate((0, 0, 1)):
        run(tmp_path / f"{i}", 1.0 + seed, seed)
    found = compared(tmp_path).groups[0].of("val/fd")
    assert (found.n, found.mean, found.error) == (2, 1.5, pytest.approx(0.5))


def test_the_best_comes_first_by_the_direction_of_the_figure(tmp_path):
    for i, (fd, recall) in enumerate(((3.0, 0.9), (2.0, 0.1))):
        run(tmp_path / f"{i}", fd, figures={"val/recall": recall}, regularizer=regularizers(r1=i))
    assert [group.label for group in compared(tmp_path).groups] == ["lambda_d=1", "lambda_d=0"]
    assert [group.label for group in compared(tmp_path, "val/recall").groups] == ["lambda_d=0", "lambda_d=1"]


@pytest.mark.parametrize("figure", ["val/recall", "val/modes", "val/elbo_nats", "val/skill", "val/generalization"])
def test_higher_is_better_for_figures(figure):
    assert is_higher_better(figure)


@pytest.mark.parametrize("figure", ["val/fd", "val/reverse_kl", "gap", "gap/recall", "gap/copies"])
def test_lower_is_better_for_figures(figure):
    assert not is_higher_better(figure)


@pytest.mark.parametrize("figure", ["gap/auc", "val/score", "fake/spread", "val/unheard_of", "val/fd_se"])
def test_a_figure_without_a_better_direction_compares_no_runs(tmp_path, figure):
    run(tmp_path / "0", figures={figure: 1.0})
    with pytest.raises(ConfigError, match=f"monitor={figure}"):
        compared(tmp_path, figure)


def test_figure_declared_in_result_json_has_the_declared_direction(tmp_path):
    for i in range(2):
        folder = run(tmp_path / f"{i}", figures={"val/mine": 1.0 + i}, regularizer=regularizers(r1=i))
        stored = {
            "mine": {"name": "mine", "title": "my figure", "better": "higher", "later": 1},
            "bad": {"name": "a/b"},
        }
        write_json(folder / "result.json", read_json(folder / "result.json") | {"declared_figures": stored})
    found = compared(tmp_path, "val/mine")
    assert found.higher and found.best.of("val/mine").mean == 2.0


def test_unfinished_runs_are_counted_and_left_out_of_means(tmp_path):
    for seed, (fd, status) in enumerate(((3.0, "finished"), (9.0, "diverged"), (9.0, "interrupted"), (9.0, "running"))):
        run(tmp_path / f"{seed}", fd, seed, status)
    group = compared(tmp_path).groups[0]
    assert (group.of("val/fd").n, group.of("val/fd").mean) == (1, 3.0)
    assert group.notes == ["1 of 4 diverged", "1 of 4 interrupted", "1 of 4 without a result"]
    assert dict(group.diagnoses) == {"generalizes": 1}


def test_settings_without_a_finished_run_come_last(tmp_path):
    run(tmp_path / "0", 1.0, status="diverged", regularizer=regularizers(r1=0))
    run(tmp_path / "1", 5.0, regularizer=regularizers(r1=1))
    found = compared(tmp_path)
    assert [group.label for group in found.groups] == ["lambda_d=1", "lambda_d=0"]
    assert found.groups[1].notes == ["1 of 1 diverged"]
    assert found.best is found.groups[0]


def by_strength(path, *runs, monitor="val/fd"):
    """Runs of r1: (lambda_d, value, kind) of one seed after the other."""
    seeds: dict[float, int] = {}
    for strength, value, kind in runs:
        seed = seeds[strength] = seeds.get(strength, -1) + 1
        run(path / f"{strength}_{seed}", value, seed, regularizer=regularizers(r1=strength), kind=kind, monitor=monitor)
    return compared(path)


@pytest.mark.parametrize("monitor, values", [("val/fd", (1.0, 5.0, 7.0)), ("val/generalization", (0.9, 0.5, 0.3))])
def test_memorizing_settings_rank_after_the_others_regardless_of_figure(tmp_path, monitor, values):
    copier, good, worse = values
    runs = [(0, copier, "memorizes")] * 3 + [(1, good, "generalizes")] * 3 + [(2, worse, "inconclusive")] * 3
    found = by_strength(tmp_path, *runs, monitor=monitor)
    assert [group.label for group in found.groups] == ["lambda_d=1", "lambda_d=2", "lambda_d=0"]
    assert [group.passed_over for group in found.groups] == ["", "", "3 of 3 runs memorize"]
    assert found.best is found.groups[0]
    assert not found.is_level(found.groups[2])


@pytest.mark.parametrize(
    "kinds, words",
    [
        (["memorizes", "generalizes", "generalizes"], ""),
        (["memorizes", "generalizes"], "1 of 2 runs memorizes"),
        (["memorizes", "memorizes", "overfits"], "2 of 3 runs memorize"),
        (["memorizes"], "1 of 1 run memorizes"),
    ],
    ids=["a third", "half", "two thirds", "all"],
)
def test_setting_is_skipped_if_at_least_half_of_the_finished_runs_memorize(tmp_path, kinds, words):
    run(tmp_path / "diverged", 9.0, 9, "diverged", regularizers(r1=0))
    found = by_strength(tmp_path, *((0, 1.0, kind) for kind in kinds), (1, 5.0, "generalizes"))
    group = next(group for group in found.groups if group.label == "lambda_d=0")
    assert group.passed_over == words
    assert (found.best is group) == (not words)


def test_where_all_settings_memorize_there_is_no_best(tmp_path):
    found = by_strength(tmp_path, (0, 2.0, "memorizes"), (1, 1.0, "memorizes"))
    assert found.best is None
    assert [found.apart(group) for group in found.groups] == [None, None]
    assert [group.label for group in found.groups] == ["lambda_d=1", "lambda_d=0"]


def test_settings_without_a_finished_run_come_after_memorizing_settings(tmp_path):
    run(tmp_path / "0", 1.0, status="diverged", regularizer=regularizers(r1=5))
    found = by_strength(tmp_path, (0, 2.0, "memorizes"), (1, 3.0, "generalizes"))
    assert [group.label for group in found.groups] == ["lambda_d=1", "lambda_d=0", "lambda_d=5"]


@pytest.mark.parametrize(
    "where, words",
    [
        ({"iteration": 9, "weights": "ema"}, "1 of 1 run memorizes"),
        ({"iteration": 5, "weights": "ema"}, ""),
        ({"iteration": 9, "weights": "raw"}, ""),
    ],
    ids=["the same weights", "an earlier checkpoint", "weights without average"],
)
def test_diagnosis_of_an_evaluation_of_the_same_weights_counts(tmp_path, where, words):
    folder = run(tmp_path / "0", kind="inconclusive")
    result = json.loads((folder / "result.json").read_text())
    result |= {
        "iteration": 9,
        "evaluations": [{**where, "figures": {}, "diagnosis": {"kind": "memorizes", "sentence": ""}}],
    }
    (folder / "result.json").write_text(json.dumps(result))
    (group,) = compared(tmp_path).groups
    assert group.passed_over == words
    assert dict(group.diagnoses) == {"memorizes" if words else "inconclusive": 1}


def test_where_nothing_has_finished_there_is_no_best(tmp_path):
    run(tmp_path / "0", status="failed", fd=None)
    assert compared(tmp_path).best is None


def test_the_same_seeds_make_a_paired_t_interval():
    one, other = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 0.5, 1: 1.4, 2: 3.6}
    found, reference = difference(one, other), ttest_rel(list(one.values()), list(other.values())).confidence_interval()
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx(tuple(reference))
    assert found.pairs == 3
    assert not found.is_chance


def test_other_seeds_make_welchs_interval():
    one, other = {0: 1.0, 1: 2.0, 2: 4.0}, {5: 0.5, 6: 3.5}
    reference = ttest_ind(list(one.values()), list(other.values()), equal_var=False).confidence_interval()
    found = difference(one, other)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx(tuple(reference))
    assert found.is_chance


def test_single_runs_differ_by_a_number_without_an_interval():
    found = difference({0: 3.0}, {0: 1.0})
    assert (found.mean, math.isnan(found.half), found.is_chance) == (2.0, True, False)


def test_effects_common_to_both_settings_of_a_seed_cancel_in_the_difference(tmp_path):
    for seed, level in enumerate((1.0, 5.0, 9.0)):
        for strength, worse in ((0, 1.0 + seed / 100), (1, 0.0)):
            run(tmp_path / f"{strength}_{seed}", level + worse, seed, regularizer=regularizers(r1=strength))
    found = compared(tmp_path)
    assert found.best.of("val/fd").error == pytest.approx(statistics.stdev([1, 5, 9]) / math.sqrt(3))
    assert not found.is_level(found.groups[1])  # though the means lie well within each other's errors


def test_runs_judged_by_different_figures_compare_only_by_a_named_figure(tmp_path):
    run(tmp_path / "0")
    path = run(tmp_path / "1", figures={"val/modes": 3})
    (path / "result.json").write_text(
        (path / "result.json").read_text().replace('"monitor": "val/fd"', '"monitor": "val/modes"')
    )
    with pytest.raises(ConfigError, match="1 with val/modes: type monitor=NAME, like monitor=val/fd"):
        compared(tmp_path)
    assert compared(tmp_path, "val/fd").monitor == "val/fd"


def test_a_figure_that_no_run_has_is_an_error_that_names_the_nearest(tmp_path):
    run(tmp_path / "0", figures={"val/recall": 1.0})
    with pytest.raises(ConfigError, match="did you mean val/recall"):
        compared(tmp_path, "val/recal")
