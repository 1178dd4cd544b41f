"""Costs that are fitted to measured programs, and tables that are refused; no program is made."""

import dataclasses
import json

import numpy as np
import pytest

from compress.budget import Cost
from compress.macs import multiply_accumulates
from compress.program_costs import ProgramTable, fit, machine_name, read_table
from compress.width_space import WidthSpace
from train.errors import UserError
from train.generator import GeneratorConfig

CONFIG = GeneratorConfig("dw", 16, 32, 10)
SPACE = WidthSpace(CONFIG)


def true_ms(config):
    widths = config.resolved_widths
    return (
        0.02 + 3e-8 * multiply_accumulates(config) + 1e-6 * sum(64 * 4**k * w for k, w in enumerate(widths.mids))
    )


def table(count=30, machine="a phone", noise=0.0):
    random = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        genes = SPACE.draw(random)
        ms = true_ms(SPACE.student(genes)) * (1 + noise * random.standard_normal())
        rows.append(dataclasses.asdict(SPACE.widths(genes)) | {"ms": ms, "bytes": 40_000 + 16 * genes[0] * 128})
    return ProgramTable(CONFIG.record(), machine, "invented", tuple(rows))


def test_what_was_measured_is_found_again():
    fitted = fit(table(), "ms")
    assert fitted.held_out == 6 and fitted.rank_correlation == pytest.approx(1)
    assert fitted(CONFIG) == pytest.approx(true_ms(CONFIG), rel=1e-3)
    assert "on 6 others the rank correlation is 1.000" in fitted.describe()
    assert fit(table(noise=0.5), "ms").rank_correlation < 0.999
    assert fit(table(), "bytes").error < 0.1


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "search" / "programs.json"
    table().write(path)
    read = read_table(path, CONFIG, "a phone")
    assert fit(read, "ms") == fit(table(), "ms")
    assert read_table(path, CONFIG).machine == "a phone"  # for bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda stored: stored | {"machine": "another"},
            "measured on 'another', not on 'a phone'; name .*--machine",
        ),
        (lambda stored: stored | {"student": {"channels": 8}}, "is about the programs of another student"),
        (lambda stored: stored | {"rows": stored["rows"][:3]}, "has 3 programs, too few"),
        (lambda stored: stored | {"format": "x"}, "is no table of measured programs"),
        (lambda stored: stored | {"rows": [{"ms": 1}]}, "is no table of measured programs"),
    ],
)
def test_other_tables_are_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "programs.json"
    table().write(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(UserError, match=message) as error:
        read_table(path, CONFIG, "a phone")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="no table of measured programs at"):
        read_table(tmp_path / "nowhere.json", CONFIG)


def test_a_budget_in_milliseconds_is_kept_by_what_was_fitted():
    fitted = fit(table(), "ms")
    cost = Cost("ms", lambda genes: fitted(SPACE.student(genes)))
    budget = cost.budget("60%", SPACE)
    assert budget.folder == "60%ms" and budget.limit == pytest.approx(0.6 * cost.of(SPACE.largest))
    genes = SPACE.uniform(budget.fits)
    assert 0.5 * budget.limit < cost.of(genes) <= budget.limit
    with pytest.raises(UserError, match=r"--ms 9 cannot be searched: .*reach from 0\.\d+ to 0\.\d+ ms"):
        cost.budget("9", SPACE)
    with pytest.raises(UserError, match=r"--ms '3M' is not written like 2\.5 or 50%"):
        cost.budget("3M", SPACE)


def test_this_machine_has_a_name():
    assert "cores" in machine_name() and machine_name() == machine_name()
