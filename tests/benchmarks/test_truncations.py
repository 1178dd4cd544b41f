"""The trade-off of truncation: nearer to the photos and less diverse, or the other way round."""

import pytest
from stand_ins import save_random_student

from benchmarks import truncations
from benchmarks.model import open_unexported
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.truncations import measure_truncations
from train.errors import UserError
from train.generator import GeneratorConfig


@pytest.fixture
def student(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, GeneratorConfig("dw", 2, 32, 10))
    return path


def test_a_smaller_truncation_leaves_less_diversity(student, tmp_path, monkeypatch):
    from feature_networks import Pooled, save_script

    network = save_script(Pooled(), tmp_path / "pooled_48.pt")
    monkeypatch.setattr(truncations, "find_inception", lambda stated, download: None)
    config = BenchmarkConfig(
        run=student,
        out=tmp_path / "out",
        teacher="digits",
        reference="digits",
        features=network,
        truncations=(0.1, 1.0),
        images=100,
        device="cpu",
    )
    model = open_unexported(student)
    results = Results(config.folder / "results.json", model.description)
    measure_truncations(model, config, results)
    note = results.content["notes"]["truncations"]
    assert list(note["curves"]) == ["teacher", "float"] and note["images"] == 100
    for points in note["curves"].values():
        assert [point["truncation"] for point in points] == [0.1, 1.0]
        assert points[0]["diversity"] < points[1]["diversity"]
    # At 0.1 the teacher draws one digit of each class over and over; the random student no digit at all.
    teacher, random = (note["curves"][name] for name in ("teacher", "float"))
    assert teacher[1]["distance"] < teacher[0]["distance"] < random[1]["distance"]
    assert note["distance"] == "FID-48 to the photos"


def test_photos_are_needed(student, tmp_path):
    config = BenchmarkConfig(run=student, out=tmp_path, reference="", truncations=(0.5,))
    model = open_unexported(student)
    with pytest.raises(UserError, match="distance to photos; give some with --reference"):
        measure_truncations(model, config, Results(tmp_path / "results.json", model.description))


def test_a_truncation_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"--truncations 0\.5 1\.5: give values in \(0, 1\]"):
        BenchmarkConfig(truncations=(0.5, 1.5))
