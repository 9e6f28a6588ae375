"""Search spaces in Hydra's grammar, and the digits of drawn numbers."""

import optuna
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from regen.errors import ConfigError
from regen.sweeps.search.search_spaces import Choice, Real, Whole, points, read
from regen.utils.project import CONF


def parsed(*overrides: str):
    return read(OverridesParser.create().parse_overrides(list(overrides)))


@pytest.mark.parametrize(
    ("typed", "kind", "said"),
    [
        ("tag(log,interval(0.1,100))", Real, "0.1 to 100 on a logarithmic scale"),
        ("interval(0,1)", Real, "0 to 1"),
        ("int(interval(1,9))", Whole, "whole numbers 1 to 9"),
        ("tag(log,int(interval(16,256)))", Whole, "whole numbers 16 to 256 on a logarithmic scale"),
        ("range(1,9,2)", Whole, "whole numbers 1 to 7 in steps of 2"),
        ("range(0,1,0.25)", Real, "0 to 0.75 in steps of 0.25"),
        ("choice(0.1,1,[l2,r1])", Choice, "one of 0.1, 1, [l2,r1]"),
        ("none,l2,r1", Choice, "one of none, l2, r1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_space_follows_the_grammar_of_hydra(typed, kind, said) -> None:
    fixed, spaces = parsed("seed=0", f"x={typed}")
    assert fixed == {"seed": "seed=0"}
    assert isinstance(spaces["x"], kind) and str(spaces["x"]) == said


def test_glob_is_the_choice_of_matching_options() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        _, spaces = read(parser.parse_overrides(["regularizer=glob(r1*)"]))
    assert str(spaces["regularizer"]) == "one of r1, r1_r2"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("seed=0,1", "luckiest seed"),
        ("max_iterations=int(interval(1,9))", "max_iterations is the same"),
        ("x=tag(log,interval(0,1))", "above 0, got 0 to 1"),
        ("x=interval(1,1)", "larger one, got 1 to 1"),
        ("x=tag(log,range(1,9))", "only an interval"),
        ("x=tag(lgo,interval(1,9))", "expected the tag log or none, got lgo"),
        ("x=range(1,2)", "a range of two values or more"),
    ],
    ids=lambda value: value,
)
def test_unsearchable_spaces_are_refused_with_the_reason(typed, words) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        parsed(typed)


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert parsed("x=interval(0,1)", "x=3") == ({"x": "x=3"}, {})
    fixed, spaces = parsed("x=3", "x=interval(0,1)")
    assert not fixed and str(spaces["x"]) == "0 to 1"


def test_numbers_have_the_distinguishing_digits() -> None:
    assert Real(0.1, 100, log=True).typed(3.1622776601683795) == "3.162"
    assert Real(0.1, 100, log=True).typed(0.1234567) == "0.1235"
    assert Real(1e-6, 1e-2, log=True).typed(1.23456e-6) == "1.235e-06"
    assert Real(0, 1).typed(0.0) == "0"
    assert Real(100, 100.1).typed(100.0123456) == "100.0123"


def test_a_grid_goes_from_end_to_end() -> None:
    assert Real(0.1, 10, log=True).points(3) == pytest.approx([0.1, 1, 10])
    assert Real(0, 1).points(3) == [0, 0.5, 1]
    assert Real(0, 0.75, step=0.25).points(9) == [0, 0.25, 0.5, 0.75]
    assert Whole(1, 5, step=2).points(9) == [1, 3, 5]
    assert Whole(1, 100, log=True).points(3) == [1, 10, 100]
    assert Whole(1, 101).points(3) == [1, 51, 101] and Whole(1, 2).points(9) == [1, 2]
    assert points({"a": Choice(["x", "y"]), "b": Real(0, 1)}, 2) == {"a": ["x", "y"], "b": [0, 1]}


@pytest.mark.parametrize(
    "space",
    [
        Choice(["a", "b"]),
        Real(0.1, 100, log=True),
        Real(0, 0.75, step=0.25),
        Whole(1, 7, step=2),
        Whole(2, 9, log=True),
    ],
    ids=str,
)
def test_every_point_and_every_draw_is_of_the_space(space) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    drawn = {space.draw(study.ask(), "x") for _ in range(30)}
    assert len(drawn) > 1
    for value in drawn:
        if isinstance(space, Choice):
            assert value in space.values
        else:
            assert space.low <= float(value) <= space.high
            assert not space.step or float(value) in space.points(0)
