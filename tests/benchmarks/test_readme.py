"""The README's tables are those of the committed results."""

import pytest

from benchmarks.readme import ReadmeConfig, committed_tables, fill, main
from train.errors import UserError


def test_the_tables_are_current():
    main(["--check"])


def test_every_table_is_marked_once():
    text = ReadmeConfig().readme.read_text()
    for name in committed_tables():
        assert text.count(f"<!-- table {name} -->") == 1


def test_a_changed_figure_is_noticed(tmp_path):
    changed = tmp_path / "README.md"
    changed.write_text(ReadmeConfig().readme.read_text().replace("BigGAN-deep, published | 50.40", "x | 50.41"))
    with pytest.raises(
        UserError, match=r"not those of the results; write them with: python -m benchmarks\.readme"
    ):
        main(["--check", "--readme", str(changed)])
    main(["--readme", str(changed)])
    assert changed.read_text() == ReadmeConfig().readme.read_text()


def test_unknown_marks_are_refused():
    with pytest.raises(UserError, match="no table 'speed'"):
        fill("<!-- table speed -->\n<!-- end -->", committed_tables())
