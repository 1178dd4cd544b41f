"""The pages' tables are those of the committed results."""

import json

import pytest

from benchmarks.readme import PAGES, committed_tables, fill, main
from benchmarks.throughput.table import throughput_table
from train.commands import ROOT
from train.errors import UserError


def test_the_tables_are_current():
    main(["--check"])


def test_every_table_is_marked_once():
    text = "".join(page.read_text() for page in PAGES)
    for name in committed_tables():
        assert text.count(f"<!-- table {name} -->") == 1


def test_a_changed_figure_is_noticed(tmp_path):
    page, changed = ROOT / "benchmarks" / "README.md", tmp_path / "README.md"
    changed.write_text(page.read_text().replace("BigGAN-deep, published | 50.40", "x | 50.41"))
    with pytest.raises(
        UserError, match=r"not those of the results; write them with: python -m benchmarks\.readme"
    ):
        main(["--check", "--pages", str(changed)])
    main(["--pages", str(changed)])
    assert changed.read_text() == page.read_text()


@pytest.mark.parametrize(
    "report", sorted((ROOT / "benchmarks").glob("throughput_*.json")), ids=lambda path: path.stem
)
def test_the_table_beside_a_report_is_the_reports(report):
    table = throughput_table(json.loads(report.read_text())).markdown()
    assert report.with_suffix(".md").read_text().startswith(table)


def test_unknown_marks_are_refused():
    with pytest.raises(UserError, match="no table 'speed'"):
        fill("<!-- table speed -->\n<!-- end -->", committed_tables())
