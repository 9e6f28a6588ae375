"""docs/figures.md and the declarations that it is written from."""

from collections import Counter

from regen.metrics.registry import declared_figures
from regen.report import figure_docs


def test_page_is_the_one_that_make_table_writes():
    assert figure_docs.PATH.read_text() == figure_docs.page()


def test_each_figure_is_declared_once_with_title_meaning_and_own_title():
    figures = declared_figures()
    assert all(figure.meaning.endswith(".") for figure in figures)
    titles = Counter(figure.title for figure in figures)
    assert [title for title, n in titles.items() if n > 1] == []
