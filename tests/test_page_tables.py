"""The pages' tables are those of the committed results."""

import json

import pytest
from page_tables import PAGES, committed_tables, fill

from benchmarks.throughput.table import throughput_table
from train.commands import ROOT
from train.errors import UserError


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_tables_are_current(page):
    text = page.read_text()
    assert fill(text, committed_tables()) == text, "write them with: make tables"


def test_every_table_is_marked_once():
    text = "".join(page.read_text() for page in PAGES)
    for name in committed_tables():
        assert text.count(f"<!-- table {name} -->") == 1


def test_a_changed_figure_is_set_right():
    text = (ROOT / "benchmarks" / "README.md").read_text()
    changed = text.replace("BigGAN-deep, published | 50.40", "x | 50.41")
    assert changed != text == fill(changed, committed_tables())


@pytest.mark.parametrize(
    "report", sorted((ROOT / "benchmarks").glob("throughput_*.json")), ids=lambda path: path.stem
)
def test_the_table_beside_a_report_is_the_reports(report):
    table = throughput_table(json.loads(report.read_text())).markdown()
    assert report.with_suffix(".md").read_text().startswith(table)


def test_unknown_marks_are_refused():
    with pytest.raises(UserError, match="no table 'speed'"):
        fill("<!-- table speed -->\n<!-- end -->", committed_tables())
