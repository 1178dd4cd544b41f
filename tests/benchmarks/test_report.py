"""The report: its first table, its plots and what is folded away, from made-up results."""

import json
import re

import numpy as np
import pytest

from benchmarks.plots import _figure, _label, plots, quality_metric
from benchmarks.report import write_report
from benchmarks.results import FORMAT
from benchmarks.summary import summary
from benchmarks.tables import quality_table, tables

pytest.importorskip("matplotlib", reason="needs the extra benchmarks")
pytest.importorskip("jinja2", reason="needs the extra benchmarks")

DISTANCE = "frechet_lite0_to_photos_n500"
PTE, TFLITE, PACKAGE = "student_xnnpack_int8.pte", "student_int8.tflite", "student_int8.mlpackage"
FLOAT = "student_xnnpack_fp32.pte"


def network(key, name, macs):
    return {
        "key": key,
        "inputs": {},
        "name": name,
        "parameters": 10**6,
        "multiply_accumulates": macs,
        "flops": 2 * macs,
    }


def file(name, size):
    return {"key": f"artifact/{name}", "inputs": {}, "name": name, "bytes": size}


def timed(name, p50, **more):
    latency = {"p50": p50, "p90": p50, "mean": p50, "n": 10}
    row = {"key": f"host/{name}/threads-1", "inputs": {}, "name": name, "threads": 1, "latency_ms": latency}
    return row | {"ratios": {}} | more


def judged(name, distance, recognised, l1=None):
    row = {"key": f"quality/{name}", "inputs": {}, "name": name, DISTANCE: distance, "recognised": recognised}
    row |= {f"{DISTANCE}_standard_error": 0.25, f"{DISTANCE}_excess": 1.0}
    return row if l1 is None else row | {"l1_to_teacher": l1}


@pytest.fixture
def results() -> dict:
    columns = {
        "recognised": {"title": "recognised", "better": "higher", "how": "by a classifier"},
        DISTANCE: {"title": "Fréchet distance (lite0) to the photos", "better": "lower", "how": "of 500 images"},
        f"{DISTANCE}_standard_error": {"title": "its standard error", "better": None, "how": "of splits"},
        f"{DISTANCE}_excess": {"title": "its excess", "better": None, "how": "of splits"},
        "l1_to_teacher": {"title": "L1 to the teacher", "better": "lower", "how": "of all bytes"},
    }
    device = {"target": "host", "cpu": "a processor", "cores": 2}
    per_class = {
        "teacher": {str(k): 10.0 + k for k in range(5)},
        "float": {str(k): 12.0 + 2 * k for k in range(5)},
        PTE: {str(k): 30.0 - k for k in range(5)},
    }
    columns["intra"] = {"title": "intra-class Fréchet distance (lite0)", "better": "lower", "how": "mean"}
    return {
        "format": FORMAT,
        "model": {
            "architecture": "dw",
            "channels": 16,
            "image_size": 32,
            "trained_from": "a test",
            "trained_classes": 5,
            "sha256": {"float": "0" * 64},
        },
        "cost": [
            network("teacher", "teacher (digits)", 40_000_000),
            network("deploy", "float student, deploy form", 4_000_000),
            network("int8", "int8 student", 4_000_000),
            *(file(name, size) for name, size in ((FLOAT, 1_600_000), (PTE, 400_000), (PACKAGE, 800_000))),
        ],
        "latency": [
            timed("teacher_xnnpack_fp32.pte", 2.5, bytes=3_100_000),
            timed("teacher_fp32.tflite", 2.0, bytes=3_200_000),  # the fastest form of the teacher
            timed("teacher, torch eager", 9.0),
            timed("authors_xnnpack_fp32.pte", 0.9),
            timed(FLOAT, 0.5),
            timed(PTE, 0.25),
        ],
        "quality": [
            judged("teacher", 10.0, 0.99),
            judged("float", 20.0, 0.985, 0.08078),
            judged(PTE, 25.0, 0.97, 0.0683),
        ],
        "notes": {
            "cost": {"protocol": "one image"},
            "latency on this machine": {"device": device, "protocol": "rounds", "left_out": ["no Mac", "no Mac"]},
            "quality": {
                "columns": columns,
                "per_class": {"intra": per_class},
                "real_to_real": {},
                "protocol": {"images": 500, "first_seed": 7, "latents": "", "truncation": 0.5},
                "left_out": ["no Mac"],
            },
        },
    }


def test_the_first_table_says_what_compression_cost_and_brought(results):
    found = summary(results)
    assert found.headers == ["MACs, M", "MB", "ms", "Fréchet distance (lite0) to the photos", "recognised"]
    lines = {label: dict(zip(found.headers, cells, strict=True)) for label, cells in found.lines}
    assert list(lines) == ["teacher", "student, float", "student, int8, .pte", "student, int8, Core ML"]
    int8 = lines["student, int8, .pte"]
    assert (int8["MACs, M"].value, int8["MACs, M"].ratios) == ("4.00", ("0.10 of the teacher", "1.00 of float"))
    assert (int8["MB"].value, int8["MB"].ratios) == ("0.40", ("0.12 of the teacher", "0.25 of float"))
    assert (int8["ms"].value, int8["ms"].ratios) == ("0.250", ("0.12 of the teacher", "0.50 of float"))
    distance = int8["Fréchet distance (lite0) to the photos"]
    assert (distance.value, distance.ratios) == ("25.00 ± 0.25", ("2.50 of the teacher", "1.25 of float"))
    assert int8["recognised"].value == "97.0%"
    assert lines["student, float"]["MB"].value == "1.60"  # its own program, not the authors' or the teacher's
    assert lines["teacher"]["ms"].ratios == ("4.00 of float",)
    assert lines["student, int8, Core ML"]["ms"].value == "not measured here"
    assert lines["student, int8, Core ML"]["MB"].value == "0.80"
    assert found.notes[1].endswith(
        "± its standard error. Up to 1.00 of it, or more, is there because the images are few."
    )
    assert f"student, int8, .pte: {PTE}" in found.notes[0] and "a processor" in found.notes[0]


def test_fid_proper_goes_before_another_distance(results):
    key = "fid500_legacy_tensorflow"
    results["notes"]["quality"]["columns"][key] = {"title": "FID", "better": "lower", "how": "Inception"}
    for row in results["quality"]:
        row[key] = 3.0
    assert "FID" in summary(results).headers and quality_metric(results) == (key, "FID")


def test_without_any_student_there_is_no_first_table(results):
    assert summary(results | {"cost": [], "latency": [], "quality": []}) is None


def test_files_have_no_dashes_and_no_note_stands_twice(results):
    found = {table.title: table for table in tables(results)}
    assert not [cell for line in found["Files"].cells for cell in line if cell == "–"]
    assert found["Files"].headers == ["file", "MB", f"of {FLOAT}"]
    assert PTE not in [line[0] for line in found["Cost"].cells]
    notes = [note for table in found.values() for note in table.notes]
    assert notes.count("no Mac") == 1 and len(notes) == len(set(notes))


def test_numbers_of_one_column_have_one_form(results):
    table = quality_table(results)
    column = table.headers.index("L1 to the teacher")
    assert [line[column] for line in table.cells] == ["–", "0.08078", "0.06830"]


def test_the_page_begins_with_the_table_and_folds_details_away(results, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(results))
    page = write_report(tmp_path / "results.json", tmp_path).read_text()
    places = [page.index(part) for part in ('class="summary"', 'class="plots"', "<details>")]
    assert places == sorted(places)
    assert page.count("<details>") == page.count("</details>") == len(tables(results))
    assert page.count('<div class="wide">') == page.count("<table") == 1 + len(tables(results))
    assert re.search(r"4\.00<small>0\.10 of the teacher</small><small>1\.00 of float</small>", page)
    assert page.count("data:image/png;base64,") == 3
    text = (tmp_path / "report.md").read_text()
    assert text.index("What compression cost") < text.index("## Cost")


def test_plots_that_there_are_figures_for(results):
    assert set(plots(results)) == {
        "Quality against latency",
        "Quality against multiply-accumulates",
        "Class by class, student against teacher (the paper's Figure 9)",
    }
    point = {"truncation": 0.5, "distance": 3.0, "diversity": 0.8}
    results["notes"]["truncations"] = {"distance": "FID", "diversity": "diversity", "curves": {"float": [point]}}
    assert "Truncation: quality against diversity" in plots(results)
    del results["notes"]["quality"]["per_class"]["intra"]["teacher"]
    assert not [title for title in plots(results) if "Figure 9" in title]


def test_labels_hide_no_other_label():
    figure, axes = _figure("across", "up")
    random = np.random.default_rng(0)
    points = [(1 + x, 2 + y, f"student_number_{n}.pte") for n, (x, y) in enumerate(random.random((10, 2)) / 50)]
    axes.plot([p[0] for p in points], [p[1] for p in points], "o")
    _label(figure, axes, points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 10
    for index, box in enumerate(boxes):
        frame = axes.get_window_extent()
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1
        for other in boxes[:index]:
            apart_across = box.x1 <= other.x0 or other.x1 <= box.x0
            assert apart_across or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1


def test_the_frontier_of_found_students_is_drawn_against_both_costs(results):
    assert not any(title.startswith("Found students") for title in plots(results))
    points = [
        {"series": series, "label": label, "widths": [8], "macs": macs, "l1": l1, "ms": macs / 10}
        for series, label, macs, l1 in (("found", "50%, fine-tuned", 2.0, 0.09), ("uniform slice", "", 2.0, 0.12))
    ]
    results["notes"]["frontier"] = {"points": points}
    drawn = {title for title in plots(results) if title.startswith("Found students")}
    assert {title.rpartition(" ")[2] for title in drawn} == {"ms", "MACs"}
