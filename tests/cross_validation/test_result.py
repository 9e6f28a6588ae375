"""Answers by hand: what is recommended, and that words, commands and files agree with it."""

from dataclasses import replace
from pathlib import Path

import pytest
from cross_validation.test_score_table import NAN, memorizing, table

from regen.cross_validation.answer import Answer, answer
from regen.cross_validation.candidate import Axis, Candidate
from regen.cross_validation.fits import Trained
from regen.cross_validation.result import Choice
from regen.cross_validation.runner import Raced
from regen.cross_validation.score_table import Table
from regen.cross_validation.sentences import claim_sentence, describe_final_model, sentences
from regen.cross_validation.text import contents, marks, written

R1 = Candidate("r1", ("data=ring",), (Axis("lambda_d", (0.0, 0.1, 1.0)),), whole=True)
AUGMENT = Candidate("diffaugment", ("data=ring",), (Axis("", (0.0, 1.0)),), whole=True)
SEVEN = [5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
FLAT = {0: SEVEN, 0.1: [4.9, 6.1, 6.8, 8.2, 8.7, 10.3, 10.6], 1: [5.1, 5.8, 7.3, 7.6, 9.5, 9.4, 11.7]}
HELPING = {0: SEVEN, 0.1: [value - 1 - 0.1 * k for k, value in enumerate(SEVEN)], 1: [value - 4 for value in SEVEN]}
ON = {0: SEVEN, 1: [value - 4 - 0.1 * k for k, value in enumerate(SEVEN)]}
OFF = {0: SEVEN, 1: FLAT[1]}
NOT_COPYING = "val/generalization"


def answered(scores: Table | dict, candidate: Candidate = R1, monitor: str = "val/fd", **raced) -> Answer:
    """The answer to scores by strength, in rounds of one seed."""
    scores = scores if isinstance(scores, Table) else table(scores)
    trained = {fit: Trained(fit, Path("no/such/run"), score, 1000, 2.0) for fit, score in scores.scores.items()}
    found = Raced(candidate, trained, scores.scores, raced.pop("dropped", {}), **raced)
    return answer(found, monitor, scores.higher_is_better, 0.05)


def choice(*answers: Answer, monitor: str = "val/fd") -> Choice:
    return Choice(answers, monitor, False, Path("out"), {}, [])


def said(found: Answer) -> str:
    return " ".join(sentences(choice(found), found))


def test_with_evidence_the_strength_with_the_smallest_mean_rank_is_recommended():
    found = answered(HELPING)
    assert found.helps and found.recommended == found.best == (1.0,)
    assert said(found).startswith("Regularizing helps: the score at lambda_d=1 is 4 better than at lambda_d=0")
    assert "allowing for the choice among 2." in said(found)
    assert "Recommended: lambda_d=1, the smallest mean rank (λ*)." in said(found)
    assert describe_final_model(found) == "r1 at lambda_d=1"
    assert found.command(found.recommended) == "python src/train.py data=ring regularizer=r1 lambda_d=1"


def test_without_evidence_0_is_recommended_and_words_command_and_files_agree():
    found = answered(FLAT)
    assert not found.helps and found.best != (0.0,) and found.recommended == (0.0,) and found.one_se is None
    assert said(found).startswith("No evidence that regularizing helps: ")
    assert "Recommended: lambda_d=0, no regularization" in said(found)
    assert describe_final_model(found) == "without regularization"
    files = contents(choice(found))
    assert files["recommended"] == files["answers"][0]["recommended"] == {"lambda_d": 0.0}
    assert files["command"] == files["answers"][0]["commands"]["recommended"]
    assert "regularizer=none" in files["command"] and "r1" not in files["command"]
    assert marks(found, found.point((0.0,))) == ["recommended"]
    rows = written(choice(found)).splitlines()
    assert rows[1].endswith(",recommended") and [row.count("recommended") for row in rows] == [0, 1, 0, 0]


def test_too_few_rounds_are_said_to_be_too_few_with_the_number_that_is_missing():
    found = answered({0: SEVEN[:4], 1: [0.0] * 4})
    assert found.recommended == (0.0,)
    assert said(found).startswith("Too few rounds to decide whether regularizing helps: ")
    assert "Run at least 1 more round." in said(found)


def test_a_regularizer_without_a_strength_is_on_or_off_and_never_at_1():
    for rows, recommended in ((ON, "on"), (OFF, "off")):
        found = answered(rows, AUGMENT)
        words = said(found) + describe_final_model(found)
        assert f"Recommended: {recommended}, " in words
        assert "at 1" not in words and "at 0" not in words and "on=" not in words and "=1" not in words
        assert "λ=" not in words and "largest" not in words
    found = answered(ON, AUGMENT)
    assert found.command(found.recommended) == "python src/train.py data=ring regularizer=diffaugment"
    off = answered(OFF, AUGMENT)
    assert off.command(off.recommended) == "python src/train.py data=ring regularizer=none"
    assert describe_final_model(off) == "without regularization"


def test_on_and_off_are_named_in_the_confidence_set():
    assert "Not distinguishable from the best at 95% confidence: off, on." in said(answered(OFF, AUGMENT))
    assert "Not distinguishable from the best at 95% confidence: on." in said(answered(ON, AUGMENT))


def test_the_confidence_set_is_stated_and_without_0_exactly_if_regularizing_helps():
    assert answered(HELPING).confidence_set == ((1.0,),)
    assert (0.0,) in answered(FLAT).confidence_set
    assert "Not distinguishable from the best at 95% confidence: 0, 0.1, 1." in said(answered(FLAT))


def test_a_dropped_strength_in_the_confidence_set_is_said_to_be_dropped_without_a_test():
    rows = {**ON, 0.1: [*SEVEN[:3], None, None, None, None]}
    found = answered(rows, dropped={(0.1,): 3})
    assert "dropped early on their ranks, without a test: 0.1" in said(found)
    assert marks(found, found.point((0.1,))) == ["dropped after 3"]


def test_0_that_memorizes_is_not_recommended_without_evidence():
    found = answered(memorizing(FLAT, {0: 7}))
    assert not found.helps and found.recommended == found.best != (0.0,)
    assert "Passed over: lambda_d=0 (7 of 7 runs memorize)." in said(found)
    assert "λ = 0 memorizes" in said(found)
    assert "regularizer=r1" in contents(choice(found))["command"]


def test_where_all_but_0_memorize_0_is_recommended():
    found = answered(memorizing(HELPING, {0.1: 7, 1: 7}))
    assert found.recommended == (0.0,) and found.claim is None and not found.helps


def test_where_every_strength_memorizes_nothing_is_recommended():
    found = answered(memorizing(HELPING, {0: 7, 0.1: 7, 1: 7}))
    files = contents(choice(found))
    assert found.recommended is files["command"] is files["recommended"] is choice(found).winner is None


def test_the_length_of_training_is_stated():
    assert "trainings of 1,000 iterations" in said(answered(HELPING))


def test_a_best_mean_of_another_strength_is_noted():
    rows = {**HELPING, 1: [*(value - 4 for value in SEVEN[:6]), 1000.0]}
    assert "Lambda_d=0.1 has the best mean, lambda_d=1 the smallest mean rank" in said(answered(rows))


def test_an_effect_of_divergence_is_described_without_numbers():
    found = answered({0: [NAN] * 7, 1: SEVEN})
    words = "in most rounds the fit at lambda_d=0 diverged and that at lambda_d=1 did not"
    assert claim_sentence(found, found.claim).startswith(f"Regularizing helps: {words}; p = ")


def test_the_reason_for_the_end_and_the_nominal_level_are_stated():
    found = answered(HELPING, ended="the claim is made after 7 of 15 rounds", level=0.025, rounds=15)
    assert "The claim is made after 7 of 15 rounds." in said(found) and "(level 0.025)" in said(found)
    assert "95% confidence" in said(found)
    assert (found.fits, found.all_fits) == (21, 45)


def test_of_several_candidates_that_help_the_better_in_shared_rounds_is_the_final_model():
    weak = answered({0: SEVEN, 1: [value - 1 for value in SEVEN]})
    off = [*SEVEN, *SEVEN]
    strong = answered({0: off, 1: [*(value - 4 for value in off[1:]), 9999.0]}, AUGMENT)  # one fit is ruined
    assert weak.helps and strong.helps
    found = choice(weak, strong)
    assert found.winner is strong and found.score == pytest.approx(strong.point((1.0,)).mean)
    assert choice(strong, weak).winner is strong


def test_helping_candidate_is_preferred_to_a_useless_candidate():
    found = choice(answered(FLAT), answered(ON, AUGMENT))
    assert found.winner.candidate is AUGMENT and contents(found)["recommended"] == {"on": 1.0}


def test_if_no_candidate_helps_the_final_model_is_without_regularization():
    found = choice(answered(FLAT), answered(OFF, AUGMENT))
    assert not any(found.winner.recommended) and "regularizer=none" in contents(found)["command"]


def test_candidates_without_a_shared_round_have_the_first_as_the_final_model():
    weak, strong = answered(HELPING), answered(ON, AUGMENT)
    other = Table({fit._replace(seed=9): score for fit, score in strong.table.scores.items()})
    assert choice(weak, answered(other, AUGMENT)).winner is weak


def test_candidates_that_memorize_in_all_shared_rounds_still_have_a_final_model():
    """Each memorizes in the three rounds that they share, and in less than half of all its rounds."""
    first, second = memorizing(HELPING, {1: 3}), memorizing(ON, {1: 3})
    shared = {fit for fit in second.scores if fit.fold < 3}
    moved = {fit if fit in shared else fit._replace(seed=1): score for fit, score in second.scores.items()}
    assert choice(answered(first), answered(Table(moved), AUGMENT)).winner is not None


def test_higher_scores_are_recommended_where_more_is_better():
    rows = {strength: [-value for value in row] for strength, row in HELPING.items()}
    found = answered(table(rows, higher_is_better=True), monitor=NOT_COPYING)
    assert found.recommended == (1.0,) and "is 4 better than" in said(found)


def test_strengths_of_a_limit_have_no_one_standard_error_rule():
    limit = replace(R1, axes=(Axis("regularizer.weight_clipping.limit", (0.0, 0.1, 1.0)),))
    assert answered(HELPING, limit).one_se is None and answered(HELPING).one_se is not None
