"""The trade-off of truncation: nearer to the photos and less diverse, or the other way round."""

import pytest
from feature_networks import Pooled, save_script
from stand_ins import save_random_student

from benchmarks import run_device, truncations
from benchmarks.drawing import Drawer
from benchmarks.model import open_unexported
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.truncations import check_trade_off, measure_truncations
from train.errors import UserError
from train.generator import GeneratorConfig
from train.noise import SAMPLERS, latents_in_turn


@pytest.fixture
def student(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, GeneratorConfig("dw", 2, 32, 10))
    return path


def test_a_smaller_truncation_leaves_less_diversity(student, tmp_path, monkeypatch):
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


def test_every_truncation_draws_from_the_models_own_law(tmp_path, monkeypatch):
    path, seen = tmp_path / "uniform.safetensors", []
    save_random_student(path, GeneratorConfig("dw", 2, 32, 10), sampler=SAMPLERS["uniform"])
    images = Drawer.images
    monkeypatch.setattr(Drawer, "images", lambda self, z, y, cache: (seen.append(z), images(self, z, y, cache))[1])
    monkeypatch.setattr(truncations, "find_inception", lambda stated, download: None)
    network = save_script(Pooled(), tmp_path / "pooled_48.pt")
    settings = {"reference": "digits", "teacher": "", "features": network, "images": 20, "device": "cpu"}
    config = BenchmarkConfig(run=path, out=tmp_path / "out", truncations=(0.5, 1.0), **settings)
    model = open_unexported(path)
    check_trade_off(model)
    measure_truncations(model, config, Results(tmp_path / "results.json", model.description))
    for z, truncation in zip(seen, (0.5, 1.0), strict=True):
        expected, _ = latents_in_turn(
            list(range(10)), config.seed, 20, 128, truncation, sampler=SAMPLERS["uniform"]
        )
        assert (z == expected).all()


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (
            SAMPLERS["sphere"],
            "--truncations is not for latents on a sphere, which all have one length; leave it out",
        ),
        ("given", "the model learned from given latents, and no sampler draws such ones"),
    ],
)
def test_a_law_without_a_trade_off_is_refused_before_anything_is_measured(tmp_path, sampler, message):
    path = tmp_path / "student.safetensors"
    save_random_student(path, GeneratorConfig("dw", 2, 32, 10), sampler=sampler)
    arguments = ["--run", str(path), "--out", str(tmp_path / "out"), "--parts", "quality", "--truncations", "0.5"]
    with pytest.raises(UserError, match=message):
        run_device.main(arguments)
    assert not (tmp_path / "out" / "results.json").exists()


def test_photos_are_needed(student, tmp_path):
    config = BenchmarkConfig(run=student, out=tmp_path, reference="", truncations=(0.5,))
    model = open_unexported(student)
    with pytest.raises(UserError, match="distance to photos; give some with --reference"):
        measure_truncations(model, config, Results(tmp_path / "results.json", model.description))


def test_a_truncation_out_of_range_is_refused():
    with pytest.raises(UserError, match=r"--truncations 0\.5 1\.5: give values in \(0, 1\]"):
        BenchmarkConfig(truncations=(0.5, 1.5))
