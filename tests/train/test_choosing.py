"""Several teachers, one for each class: chosen by photos or by hand, and recorded in the pairs."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch
from stand_ins import replace

from benchmarks.quality.features import extract, open_lite0
from train import collect, main
from train.adapted_teacher import CombinedTeacher
from train.digits import real_digits
from train.distributed import World
from train.errors import UserError
from train.frechet import frechet_distance, gaussian_statistics
from train.noise import SAMPLER, SAMPLERS, consecutive_seeds, draw_latents
from train.pairs import PairDataset, taught
from train.run import train
from train.teacher import open_teacher

CLASSES = [1, 4, 7]
COUNT = 10
CPU = torch.device("cpu")


digits_teacher = functools.cache(lambda: open_teacher("digits"))


@dataclasses.dataclass
class PartialTeacher:
    """The embedded digits teacher for the classes that it knows, and grey images of the others."""

    name: str
    knows: tuple[int, ...]
    image_size: int = 32
    z_dim: int = 128
    num_classes: int = 10
    truncation: float = 0.5
    parameters: int | None = 7
    sampler: str = SAMPLER
    names: list[str] = dataclasses.field(default_factory=list)
    teacher_classes: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.fingerprint = f"{self.name:0<64}"

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        known = torch.isin(y, torch.tensor(self.knows))[:, None, None, None]
        return torch.where(known, digits_teacher()(z, y), torch.zeros(()))

    def to(self, device: torch.device) -> "PartialTeacher":
        assert device == CPU
        return self


@pytest.fixture(autouse=True)
def teachers(monkeypatch):
    """What --teacher a, b or c opens."""
    found = {"a": PartialTeacher("a", (1, 7)), "b": PartialTeacher("b", (4,)), "c": PartialTeacher("c", ())}
    monkeypatch.setattr(collect, "open_teacher", lambda spec, truncation: found[spec])
    return found


def run(out, *flags, of=("a", "b")):
    given = [part for name in of for part in ("--teacher", name)]
    collect.main([*given, "--out", str(out), "--device", "cpu", "--per-class", "2", *flags])


BY_PHOTOS = ("--reals", "digits", "--choice-images", str(COUNT), "--classes", "1,4,7")


def test_each_class_is_drawn_by_the_teacher_that_is_nearer_to_its_photos(tmp_path, teachers, capsys):
    run(tmp_path / "pairs", *BY_PHOTOS)
    table = capsys.readouterr().out
    settings = PairDataset(tmp_path / "pairs").settings
    assert settings.teacher == "a+b"
    assert settings.teachers == [
        {"teacher": "a", "fingerprint": teachers["a"].fingerprint, "classes": [1, 7]},
        {"teacher": "b", "fingerprint": teachers["b"].fingerprint, "classes": [4]},
    ]
    assert json.loads((tmp_path / "pairs" / "index.json").read_text())["teachers"] == settings.teachers
    z, y, images = PairDataset(tmp_path / "pairs").gather(np.arange(6))
    assert y.tolist() == CLASSES * 2
    assert torch.equal(images, torch.from_numpy(taught(digits_teacher(), z.numpy(), y.numpy(), CPU)))
    of_class = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line[:1] in {"1", "4", "7"}}
    assert of_class["1"][0][-1] == of_class["7"][0][-1] == of_class["4"][1][-1] == "*"
    assert "a draws 2, b draws 1" in table
    # The distance is that which the benchmarks measure.
    photos, labels = real_digits()
    z = draw_latents(SAMPLER, consecutive_seeds(2**63 + 2**58, COUNT), 128, 0.5)
    drawn = taught(teachers["a"], z, np.full(COUNT, 1), CPU)
    network = open_lite0(CPU)
    ours, theirs = (
        gaussian_statistics(extract(network, pixels, 5, "").features)
        for pixels in (drawn, photos[labels == 1][:COUNT])
    )
    assert float(of_class["1"][0].rstrip("*")) == pytest.approx(frechet_distance(ours, theirs), rel=2e-3)


def test_a_choice_that_is_recorded_is_not_made_again(tmp_path, monkeypatch, capsys):
    flags = ("--teacher-classes", "1,4", "--teacher-classes", "7")
    run(tmp_path / "pairs", *flags)
    first = (tmp_path / "pairs" / "index.json").read_bytes()
    monkeypatch.setattr(collect, "chosen_by_photos", lambda *_: pytest.fail("chosen again"))
    run(tmp_path / "pairs", *BY_PHOTOS)
    assert "which teacher draws which class is as " in capsys.readouterr().out
    assert (tmp_path / "pairs" / "index.json").read_bytes() == first
    with pytest.raises(
        UserError, match=r"teachers a for 2 classes, b for 1 classes, and this call asks for .*a for 1"
    ):
        run(tmp_path / "pairs", "--teacher-classes", "1", "--teacher-classes", "4,7")


def test_classes_given_by_hand_may_be_counted_anew(tmp_path, teachers):
    run(tmp_path / "pairs", "--teacher-classes", "7,1", "--teacher-classes", "4", "--renumber")
    data = PairDataset(tmp_path / "pairs")
    assert [part["classes"] for part in data.settings.teachers] == [[0, 2], [1]]
    assert (data.settings.teacher_classes, data.classes, data.num_classes) == (CLASSES, [0, 1, 2], 3)
    z, _, images = data.gather(np.arange(3))
    expected = taught(digits_teacher(), z.numpy(), np.array(CLASSES), CPU)
    assert torch.equal(images, torch.from_numpy(expected))


def test_a_student_learns_from_the_pairs_of_several_teachers(tiny_config, tmp_path):
    run(tmp_path / "pairs", "--teacher-classes", "0-4", "--teacher-classes", "5-9")
    config = replace(tiny_config, data__teacher=f"pairs:{tmp_path / 'pairs'}", optimizer__images=16)
    train(config, tmp_path / "run", World(0, 1, CPU))
    assert (tmp_path / "run" / "student.safetensors").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z_dim": 12}, "a has latents of 128 numbers, b of 12; several teachers have to agree"),
        ({"sampler": SAMPLERS["uniform"]}, "a has latents by the law truncated-normal, b uniform; several"),
        ({"truncation": 1.0}, "a has truncation 0.5, b 1.0; pass --truncation; several"),
        ({"num_classes": 12}, "a has 10 classes, b 12; several"),
        ({"names": ["zero", *"123456789"]}, "class 0 is '0' of a and 'zero' of b; several"),
        ({"fingerprint": f"{'a':0<64}"}, "b is given twice; give each --teacher once"),
    ],
)
def test_teachers_that_do_not_agree_are_refused_in_one_line(tmp_path, teachers, changes, message):
    for name, value in changes.items():
        setattr(teachers["b"], name, value)
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path / "pairs", *BY_PHOTOS)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize(
    ("of", "flags", "message"),
    [
        ("ab", (), "several teachers need either --reals, by which to choose, or --teacher-classes"),
        ("ab", ("--reals", "digits", "--teacher-classes", "1"), "several teachers need either --reals"),
        ("a", ("--reals", "digits"), "--reals and --teacher-classes are for several teachers"),
        ("ab", ("--teacher-classes", "0-9"), "--teacher-classes is given 1 times for 2 teachers"),
        ("ab", ("--teacher-classes", "0-5", "--teacher-classes", "5-9"), "gives class 5 to two teachers"),
        (
            "ab",
            ("--teacher-classes", "0-4", "--teacher-classes", "5-9", "--classes", "0-8"),
            "--classes and --teacher-classes differ by class 9; leave --classes out",
        ),
        ("ab", ("--reals", "digits", "--choice-images", "9"), "--choice-images is 9, and a choice needs 10; give"),
        ("ab", ("--reals", "nowhere"), "nowhere"),
    ],
)
def test_flags_that_do_not_choose_are_refused_in_one_line(tmp_path, of, flags, message):
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path / "pairs", *flags, of=of)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "pairs").exists()


def test_a_class_without_photos_enough_is_refused(tmp_path, monkeypatch):
    images, labels = real_digits()
    kept = np.concatenate([np.flatnonzero(labels == 1)[:9], np.flatnonzero(labels != 1)])
    monkeypatch.setattr("train.digits.real_digits", lambda: (images[kept], labels[kept]))
    with pytest.raises(
        UserError, match="class 1 has 9 photos, and a choice needs 10; add some, or give the classes"
    ):
        run(tmp_path / "pairs", *BY_PHOTOS)


def test_a_teacher_that_draws_another_size_than_it_says_is_named(tmp_path, teachers, monkeypatch):
    monkeypatch.setattr(PartialTeacher, "__call__", lambda self, z, y: torch.zeros(len(y), 3, 16, 16))
    combined = CombinedTeacher(list(teachers.values()), dict.fromkeys(range(10), 0))
    with pytest.raises(UserError, match=r"a\+b\+c made images of shape \[2, 3, 16, 16\], not \[2, 3, 32, 32\]"):
        taught(combined, np.zeros((2, 128), np.float32), np.array([0, 1]), CPU)


def test_training_takes_one_teacher(capsys):
    arguments = ["paper-dw32", "--data.teacher", "my a", "--data.teacher=b"]
    with pytest.raises(UserError, match="of several teachers one draws each class") as error:
        main.main(arguments)
    command = "python train/collect.py --teacher 'my a' --teacher b --reals PHOTOS --out data/pairs"
    assert command in str(error.value) and str(error.value).endswith("pass --data.teacher pairs:data/pairs")
