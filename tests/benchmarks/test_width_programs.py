"""Programs of widths, made and timed by the real runtime."""

import pytest

from benchmarks.latency import statistics
from benchmarks.width_programs import int8_programs, time_programs
from deploy.executorch_program import read_contents
from train.generator import GeneratorConfig, Widths


@pytest.mark.slow
def test_programs_of_widths_are_made_once_and_timed_in_turns(tmp_path):
    pytest.importorskip("executorch", reason="needs the extra android")
    narrow = GeneratorConfig("dw", 2, 32, 3, 8, 4)
    wide = GeneratorConfig("dw", 2, 32, 3, 8, 4, Widths((64, 64, 32, 32), (64, 64, 32)))
    files = int8_programs([narrow, wide], tmp_path)
    assert all(read_contents(file).delegates == ("XnnpackBackend",) for file in files)
    before = [file.stat().st_mtime_ns for file in files]
    again = int8_programs([narrow, wide], tmp_path)
    assert again == files and [file.stat().st_mtime_ns for file in files] == before
    samples = time_programs({"n": files[0], "w": files[1]}, narrow, rounds=3, warmup=1, iterations=5)
    assert {name: statistics(part)["n"] for name, part in samples.items()} == {"n": 15, "w": 15}
    assert statistics(samples["n"])["p50"] < statistics(samples["w"])["p50"]
    assert files[0].stat().st_size < files[1].stat().st_size
