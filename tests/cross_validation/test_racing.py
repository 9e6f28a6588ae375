"""Races: which fits are worth running, in whatever order their scores come."""

import pytest

from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Fit, Round, Score
from regen.utils.randomness import Draws, permutation

STRENGTHS = [(0.0,), (0.1,), (1.0,)]
ROUNDS = [Round(r, r) for r in range(15)]
NAN = float("nan")


def run(race: Race, scores) -> list[Fit]:
    """Run a race by a function of a fit; every fit of it."""
    ran = []
    while fits := race.next():
        for fit in fits:
            race.record(fit, Score(scores(fit)))
        ran += fits
    return ran


def helping(fit: Fit) -> float:
    """1 is better than 0.1 by 5, and 0.1 better than 0 by 4; each round has its own difficulty."""
    return {0.0: 9, 0.1: 5, 1.0: 0}[fit.strength[0]] + 10 * fit.seed


def harming(fit: Fit) -> float:
    return -helping(fit) + 20 * fit.seed


def undecided(fit: Fit) -> float:
    """1 is better than 0 in three rounds of four, by as much as it is worse in the fourth."""
    return 0 if not any(fit.strength) else fit.strength[0] * (1.0 if fit.seed % 4 == 3 else -1.0) + 0.01 * fit.seed


def test_round_is_all_strengths_on_a_fold_with_a_seed():
    race = Race(STRENGTHS, [Round(7, 0), Round(8, 1)])
    assert race.next() == [Fit(strength, 0, 7) for strength in STRENGTHS]
    order = list(dict.fromkeys((fit.seed, fit.fold) for fit in run(race, helping)))
    assert order == [(7, 0), (8, 1)]


def test_a_clear_effect_ends_the_race_at_the_first_look():
    race = Race(STRENGTHS, ROUNDS)
    ran = run(race, helping)
    assert race.schedule.looks[0] == race.done == 7
    assert race.ended == "the claim is made after 7 of 15 rounds"
    assert race.dropped == {(0.1,): 3} and race.racing == [(0.0,), (1.0,)]
    assert [sum(fit.strength == strength for fit in ran) for strength in STRENGTHS] == [7, 3, 7]


def test_a_race_in_which_a_claim_has_become_unlikely_ends_at_the_first_look():
    race = Race(STRENGTHS, ROUNDS)
    run(race, harming)
    assert race.done == 7 and race.ended == "a claim has become unlikely after 7 of 15 rounds (p = 1)"
    assert (0.0,) not in race.dropped


def test_undecided_race_goes_through_all_looks():
    race = Race([(0.0,), (1.0,)], ROUNDS)
    run(race, undecided)
    assert race.done > race.schedule.looks[0]


def test_without_stopping_early_the_full_table_is_run():
    race = Race(STRENGTHS, ROUNDS, stop_early=False)
    assert len(run(race, helping)) == race.most_fits == 45
    assert not race.dropped and race.ended == "all rounds are done"


def test_where_more_is_better_the_same_strengths_are_dropped():
    lower, higher = Race(STRENGTHS, ROUNDS), Race(STRENGTHS, ROUNDS, higher_is_better=True)
    run(lower, helping)
    run(higher, lambda fit: -helping(fit))
    assert higher.dropped == lower.dropped and higher.ended == lower.ended


@pytest.mark.parametrize("copied", [0.1, 1.0])
def test_a_strength_that_memorizes_is_dropped_before_the_others(copied):
    race = Race(STRENGTHS, ROUNDS[:4])
    while fits := race.next():
        for fit in fits:
            race.record(fit, Score(helping(fit), memorizes=fit.strength == (copied,)))
    assert race.dropped == {(copied,): 3}


def test_strength_0_is_never_dropped_even_if_memorizing_or_diverging():
    for score in (Score(NAN), Score(99.0, memorizes=True)):
        race = Race(STRENGTHS, ROUNDS)
        while fits := race.next():
            for fit in fits:
                race.record(fit, score if not any(fit.strength) else Score(helping(fit)))
        assert (0.0,) in race.racing


def test_a_strength_that_diverges_is_dropped():
    race = Race(STRENGTHS, ROUNDS[:6])
    run(race, lambda fit: NAN if fit.strength == (1.0,) else helping(fit))
    assert race.dropped == {(1.0,): 3}


def test_of_equal_strengths_the_weaker_stays():
    race = Race(STRENGTHS, ROUNDS[:6])
    run(race, lambda _: NAN)
    assert race.dropped == {(1.0,): 3}


def drawn(strengths: int, *key: object) -> tuple[Race, dict[Fit, Score]]:
    """A race, and scores of all of its fits."""
    race = Race([(float(k),) for k in range(strengths)], ROUNDS)
    fits = [Fit(strength, r.fold, r.seed) for strength in race.strengths for r in ROUNDS]
    values = Draws("race", *key).normal(len(fits)).tolist()
    shift = [0.8 * any(fit.strength) * (key[0] % 2) for fit in fits]
    return race, {fit: Score(value - by) for fit, value, by in zip(fits, values, shift, strict=True)}


@pytest.mark.parametrize("seed", range(6))
def test_state_does_not_depend_on_the_order_of_the_scores(seed):
    alone, scores = drawn(5, seed)
    ahead, _ = drawn(5, seed)
    run(alone, lambda fit: scores[fit].held_out)
    fits = list(scores)
    for place in permutation(len(fits), "race", seed).tolist():
        ahead.record(fits[place], scores[fits[place]])
    assert (ahead.dropped, ahead.ended, ahead.done) == (alone.dropped, alone.ended, alone.done)
    assert {fit: score.held_out for fit, score in ahead.scores.items()} == {
        fit: score.held_out for fit, score in alone.scores.items()
    }


@pytest.mark.parametrize("strengths", [2, 3, 7, 10])
def test_most_fits_limits_the_number_of_fits(strengths):
    for seed in range(5):
        race, scores = drawn(strengths, seed)
        ran = run(race, lambda fit, scores=scores: scores[fit].held_out)
        assert len(ran) == len(race.scores) <= race.most_fits
        assert race.done < 15 or len(ran) == race.most_fits


def test_most_fits_equal_halving_without_an_early_end():
    assert Race([(float(k),) for k in range(7)], ROUNDS).most_fits == 15 + 18 + 15 + 6 + 4


def test_a_new_race_with_the_same_scores_resumes_where_the_other_was():
    first, second = Race(STRENGTHS, ROUNDS), Race(STRENGTHS, ROUNDS)
    for fit in first.next(ahead=5)[:13]:
        first.record(fit, Score(helping(fit)))
    for fit, score in first.scores.items():
        second.record(fit, score)
    assert (second.done, second.dropped) == (first.done, first.dropped) == (4, {(0.1,): 3})
    assert first.next() == [Fit((1.0,), 4, 4)]  # 0 ran ahead
    assert second.next() == [Fit((0.0,), 4, 4), Fit((1.0,), 4, 4)]


def test_idle_workers_get_fits_of_further_rounds():
    race = Race(STRENGTHS, ROUNDS[:3])
    race.record(Fit((0.1,), 0, 0), Score(1))
    assert race.next() == [Fit((0.0,), 0, 0), Fit((1.0,), 0, 0)]
    assert len(race.next(ahead=1)) == 5 and len(race.next(ahead=9)) == 8


def test_races_that_cannot_be_run_are_refused():
    with pytest.raises(ValueError, match=r"got 0\.1, 1: add 0"):
        Race([(0.1,), (1.0,)], ROUNDS)
    with pytest.raises(ValueError, match="expected λ = 0 and other strengths, got 0"):
        Race([(0.0,)], ROUNDS)
    with pytest.raises(ValueError, match=r"expected rounds, each once, got \[\]"):
        Race(STRENGTHS, [])
    with pytest.raises(ValueError, match="expected rounds, each once"):
        Race(STRENGTHS, [Round(0, 0), Round(0, 0)])
    with pytest.raises(ValueError, match="expected a level between 0 and 1, got 5"):
        Race(STRENGTHS, ROUNDS, level=5)
    race = Race(STRENGTHS, ROUNDS)
    with pytest.raises(ValueError, match="is not a fit of this race"):
        race.record(Fit((2.0,), 0, 0), Score(1))
    race.record(Fit((0.1,), 0, 0), Score(NAN))
    race.record(Fit((0.1,), 0, 0), Score(NAN))
    with pytest.raises(ValueError, match="nan, got another: 1"):
        race.record(Fit((0.1,), 0, 0), Score(1))
