"""A race runs what is worth running, whoever tells it what, in whatever order."""

import pytest

from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Fit
from regen.randomness import Draws, permutation

STRENGTHS = [(0.0,), (0.1,), (1.0,)]
NAN = float("nan")


def run(race: Race, scores) -> list[Fit]:
    ran = []
    while fits := race.next():
        for fit in fits:
            race.tell(fit, scores(fit))
        ran += fits
    return ran


def bad(fit: Fit) -> float:
    """1 is the best, 0.1 is worse by 5, 0 by 9; each fold and seed is as hard as it is."""
    return {0.0: 9, 0.1: 5, 1.0: 0}[fit.strength[0]] + 100 * fit.fold + 10 * fit.seed


def test_a_round_is_all_strengths_on_one_fold_with_one_seed():
    race = Race(STRENGTHS, folds=[0, 1], seeds=[0, 1])
    assert race.next() == [Fit(one, 0, 0) for one in STRENGTHS]
    order = list(dict.fromkeys((fit.seed, fit.fold) for fit in run(race, bad)))
    assert order == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_strength_that_loses_five_rounds_gets_no_sixth_and_0_gets_all():
    race = Race(STRENGTHS, folds=range(4), seeds=range(2))
    ran = run(race, bad)
    assert race.dropped == {(0.1,): 5} and race.racing == [(0.0,), (1.0,)]
    assert [sum(fit.strength == one for fit in ran) for one in STRENGTHS] == [8, 5, 8]


def test_four_rounds_prove_nothing():
    race = Race(STRENGTHS, folds=range(6), seeds=[0], fewest=3)
    run(race, bad)
    assert race.dropped == {(0.1,): 5}


def test_nothing_is_dropped_before_the_fewest_rounds():
    for fewest in (2, 4):
        race = Race(STRENGTHS, folds=range(6), seeds=[0], level=0.3, fewest=fewest)
        run(race, bad)
        assert race.dropped == {(0.1,): fewest}


def test_where_more_is_better_the_least_are_dropped():
    race = Race(STRENGTHS, folds=range(8), seeds=[0], higher_is_better=True)
    run(race, bad)
    assert set(race.dropped) == {(0.1,), (1.0,)}


@pytest.mark.parametrize("sign", [1, -1], ids=["lower is better", "higher is better"])
def test_a_strength_that_memorizes_drops_no_other_but_may_be_dropped(sign):
    def dropped(copied: float, rounds: int) -> dict:
        race = Race(STRENGTHS, folds=range(8), seeds=[0], higher_is_better=sign < 0)
        while fits := race.next():
            for fit in fits:
                race.tell(fit, sign * bad(fit), memorizes=fit.strength == (copied,) and fit.fold < rounds)
        return race.dropped

    assert dropped(1.0, 8) == {}  # 0.1 is the best of the others
    assert dropped(1.0, 3) == {(0.1,): 7}  # 3 of 6 rounds are half, 3 of 7 are less
    assert dropped(0.1, 8) == {(0.1,): 5}


def test_where_all_strengths_memorize_none_is_dropped():
    race = Race(STRENGTHS, folds=range(8), seeds=[0])
    while fits := race.next():
        for fit in fits:
            race.tell(fit, bad(fit), memorizes=True)
    assert not race.dropped


def test_a_strength_that_diverges_is_dropped():
    race = Race(STRENGTHS, folds=range(8), seeds=[0])
    run(race, lambda fit: NAN if fit.strength == (1.0,) else bad(fit))
    assert race.dropped == {(1.0,): 5}


def test_strengths_that_all_diverge_are_equal():
    race = Race(STRENGTHS, folds=range(8), seeds=[0])
    run(race, lambda _: NAN)
    assert not race.dropped and not race.next()


def test_told_in_any_order_by_workers_that_ran_ahead_it_comes_to_the_same():
    fits = [Fit(one, fold, seed) for one in STRENGTHS for seed in range(2) for fold in range(5)]
    drawn = dict(zip(fits, Draws("race").normal(30).tolist(), strict=True))
    scores = {fit: value + bad(fit) for fit, value in drawn.items()}
    alone, ahead = (Race(STRENGTHS, folds=range(5), seeds=range(2)) for _ in range(2))
    run(alone, scores.get)
    for place in permutation(30, "race").tolist():
        ahead.tell(fits[place], scores[fits[place]])
    assert alone.dropped and ahead.dropped == alone.dropped and ahead.scores == alone.scores


def test_a_new_race_that_is_told_the_same_goes_on_where_the_other_was():
    first, second = (Race(STRENGTHS, folds=range(5), seeds=range(2)) for _ in range(2))
    for fit in first.next(ahead=6)[:19]:
        first.tell(fit, bad(fit))
    for fit, score in first.scores.items():
        second.tell(fit, score)
    assert second.next() == first.next() == [Fit((1.0,), 1, 1)]  # 0 ran ahead


def test_idle_workers_get_units_of_further_rounds():
    race = Race(STRENGTHS, folds=range(3), seeds=[0])
    race.tell(Fit((0.1,), 0, 0), 1)
    assert race.next() == [Fit((0.0,), 0, 0), Fit((1.0,), 0, 0)]
    assert len(race.next(ahead=1)) == 5 and len(race.next(ahead=9)) == 8


def test_races_that_cannot_be_run_are_refused():
    with pytest.raises(ValueError, match=r"expected λ = 0 and other strengths, got 0.1, 1: add 0"):
        Race([(0.1,), (1.0,)], folds=[0], seeds=[0])
    with pytest.raises(ValueError, match="expected λ = 0 and other strengths, got 0"):
        Race([(0.0,)], folds=[0], seeds=[0])
    with pytest.raises(ValueError, match=r"expected folds and seeds, each once, got folds \[\] and seeds \[0\]"):
        Race(STRENGTHS, folds=[], seeds=[0])
    with pytest.raises(ValueError, match="expected a level between 0 and 1, got 5"):
        Race(STRENGTHS, folds=[0], seeds=[0], level=5)
    race = Race(STRENGTHS, folds=[0], seeds=[0])
    with pytest.raises(ValueError, match="is none of the race's fits"):
        race.tell(Fit((2.0,), 0, 0), 1)
    race.tell(Fit((0.1,), 0, 0), NAN)
    race.tell(Fit((0.1,), 0, 0), NAN)
    with pytest.raises(ValueError, match="was told nan, and now 1"):
        race.tell(Fit((0.1,), 0, 0), 1)
