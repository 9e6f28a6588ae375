"""Pages of regularizers are current, and the terminal shows those that contain the typed words."""

import re

import yaml

from regen.cli import regularizers as script
from regen.report import regularizer_docs, regularizer_pages
from regen.utils.project import ROOT


def test_pages_equal_the_output_of_make_table():
    made = regularizer_pages.pages()
    assert {path.name for path in made} == {
        "regularizers.md",
        "regularizer_sweep.md",
        *(f"{one.name}.md" for one in regularizer_docs.regularizer_infos()),
    }
    assert [path.name for path, text in made.items() if not path.exists() or path.read_text() != text] == []
    assert set((ROOT / "docs/regularizers").iterdir()) <= set(made)


def test_every_source_but_the_article_has_a_link():
    papers = yaml.safe_load((ROOT / "docs/papers.yaml").read_text())
    sources = {
        one.name: one.words.source
        for one in regularizer_docs.regularizer_infos()
        if "the article" not in one.words.source
    }
    assert [
        name for name, source in sources.items() if "](https://" not in regularizer_pages.linked(source, papers)
    ] == []
    assert [paper for paper in papers if not any(paper in source for source in sources.values())] == []


def test_readme_counts_the_regularizers():
    (count,) = re.findall(r"(\d+) regularizers", (ROOT / "README.md").read_text())
    assert int(count) == len(regularizer_docs.regularizer_infos())


def test_every_option_but_none_is_described():
    options = {path.stem for path in (ROOT / "conf/regularizer").glob("*.yaml")} - {"none"}
    assert {one.name for one in regularizer_docs.regularizer_infos()} == options


def test_place_is_where_a_regularizer_acts_and_not_where_the_state_is_kept():
    places = {one.name: one.places for one in regularizer_docs.regularizer_infos()}
    assert places["lecam"] == ["for_d"] and places["historical_averaging"] == ["for_d", "for_g"]
    assert places["weight_clipping"] == ["after_update"] and places["packing"] == ["attach", "augment"]


def test_exactly_named_regularizer_is_shown_in_full(capsys):
    assert script.main(["r1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for part in ("λ_D ½ E‖∇D(x)‖²", "Mescheder", "lambda_d: 10", "1 second-order", "batch norm in D", "Convention: ½"):
        assert part in said


def test_words_select_regularizers_with_all_of_the_words(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert script.main(["karras", "2018"]) == 0
    said = capsys.readouterr().out
    assert "drift" in said and "minibatch_std" in said and "wgan_gp" not in said


def test_unmatched_words_are_reported(capsys):
    assert script.main(["nonsense"]) == 1
    assert "no regularizer's description contains nonsense" in capsys.readouterr().err
