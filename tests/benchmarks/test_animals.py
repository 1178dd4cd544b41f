"""The animals' script on small packs of synthetic photos: stages, limits of time, packs, the table."""

import io
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from feature_networks import Pooled, save_script
from PIL import Image
from quality_images import random_images
from stand_ins import on_one_thread

from benchmarks import animals
from benchmarks.animals64 import archive, stages, table
from benchmarks.animals64.clock import Clock, limited
from benchmarks.animals64.order import PAPER_FID, order_sentence
from benchmarks.animals64.settings import STUDENTS, AnimalsConfig
from train import biggan, loop
from train.errors import UserError
from train.loop import Interrupted, load_state
from train.presets import PRESETS
from train.run import has_ended

CLASSES, TEACHER_STEPS = "1,25", 4


def write_photos(path: Path, seed: int, per_class: int) -> Path:
    labels = np.repeat([1, 25], per_class).astype(np.int16)
    files = []
    for image in random_images(seed, len(labels), 64):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format="JPEG")
        files.append(np.frombuffer(buffer.getvalue(), np.uint8))
    offsets = np.cumsum([0, *map(len, files)], dtype=np.int64)
    np.savez(path, jpeg=np.concatenate(files), offsets=offsets, label=labels)
    return path


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("packs")
    return write_photos(folder / "train.npz", 0, 8), write_photos(folder / "val.npz", 1, 12)


@pytest.fixture(autouse=True)
def _few_statistics(monkeypatch):
    monkeypatch.setattr(biggan, "STATISTICS_IMAGES", 4)


def flags(packs: tuple[Path, Path], root: Path, *more: str) -> list[str]:
    small = {"images-teacher": 4 * TEACHER_STEPS, "images-student": 16, "images-int8": 16, "per-class": 4}
    small |= {"channels-teacher": 4, "channels-student": 1, "channels-discriminator": 2}
    small |= {"channels-discriminator-teacher": 2, "batch-teacher": 4, "batch-student": 8}
    small |= {"judged-per-class": 10, "out": root / "table.json"}
    given = {"photos": packs[0], "validation": packs[1], "root": root, "classes": CLASSES, "device": "cpu"} | small
    return [text for name, value in given.items() for text in (f"--{name}", str(value))] + list(more)


def settings(packs: tuple[Path, Path], root: Path, **changes) -> AnimalsConfig:
    fields = {"images_teacher": 4 * TEACHER_STEPS, "images_student": 16, "images_int8": 16, "per_class": 4}
    fields |= {"channels_teacher": 4, "channels_student": 1, "channels_discriminator": 2}
    fields |= {"channels_discriminator_teacher": 2, "batch_teacher": 4, "batch_student": 8}
    fields |= {"judged_per_class": 10, "out": root / "table.json"}
    fields |= {"classes": CLASSES, "device": "cpu"}
    return AnimalsConfig(*packs, root, **fields | changes)


def states_are_equal(first: Path, second: Path) -> bool:
    ours, theirs = load_state(first / "state.pt"), load_state(second / "state.pt")
    parts = ("generator", "discriminator", "average")
    same = all(torch.equal(ours[part][name], theirs[part][name]) for part in parts for name in ours[part])
    return same and ours["step"] == theirs["step"]


@pytest.fixture
def time_is_up_at(monkeypatch):
    """Let the clock ring during a step, as its timer would."""
    original, ringing = loop.one_step, {}

    def one_step(training, batch, step):
        if step + 1 == ringing.get("step"):
            del ringing["step"]
            signal.raise_signal(signal.SIGALRM)
        return original(training, batch, step)

    monkeypatch.setattr(loop, "one_step", one_step)
    return lambda step: ringing.update(step=step)


@pytest.fixture(scope="module")
def one_thread():
    """As in the tests that compare with it, bit for bit; theirs is set for each test, too late for `finished`."""
    with on_one_thread():
        yield


@pytest.fixture(scope="module")
def finished(packs, one_thread, tmp_path_factory) -> AnimalsConfig:
    """All stages, judged by a small network."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(biggan, "STATISTICS_IMAGES", 4)
        features = save_script(Pooled(), root / "pooled_48.pt")
        animals.main(flags(packs, root, "--features", str(features)))
    return settings(packs, root, features=features)


def test_the_plan_has_every_row_in_order(packs, tmp_path):
    names = [stage.name for stage in stages.plan(settings(packs, tmp_path))]
    rows = ["scratch", "no-feature", "no-real", "no-adversarial", "pixel-only"]
    assert names == ["teacher", "pairs", "student", "int8", *rows, "table"]
    assert not any(stage.is_done() for stage in stages.plan(settings(packs, tmp_path)))


def test_students_differ_in_objective_and_schedule_alone(packs, tmp_path):
    config = settings(packs, tmp_path)
    first = config.student("student").learned()
    for name in STUDENTS:
        other = config.student(name).learned()
        assert other["optimizer"] == first["optimizer"]
        assert {key for key in first if first[key] != other[key]} <= {"loss", "schedule", "data"}
        assert other["loss"] == PRESETS[STUDENTS[name][0]][1].learned()["loss"]
    default = AnimalsConfig(*packs)
    assert default.student("student").optimizer == PRESETS["animals64"][1].optimizer
    assert default.teacher().optimizer == PRESETS["scratch-animals64"][1].optimizer
    wide = AnimalsConfig(*packs, channels_discriminator_teacher=64)
    assert wide.teacher().discriminator.channels == 64 and wide.student("student") == default.student("student")
    assert archive.state_mib(wide.teacher()) > archive.state_mib(default.teacher()) + 10


def test_rows_of_different_length_are_refused():
    table.check_equal_images({"student": 64, "scratch": 64})
    with pytest.raises(UserError, match=r"^scratch was trained on 32 images and student on 64; train both"):
        table.check_equal_images({"student": 64, "scratch": 32})


def test_the_table_has_every_row_and_says_what_is_absent(finished):
    made = json.loads(finished.out.read_text())
    assert list(made["rows"]) == ["teacher", "student", "int8", *list(STUDENTS)[1:]]
    distances = ("fid48_pooled_n20", "fid48_pooled_n20_to_teacher")
    assert all(key in row for name, row in made["rows"].items() for key in distances[: 1 + (name != "teacher")])
    assert {made["rows"][name]["training_images"] for name in STUDENTS} == {16}
    assert made["rows"]["int8"]["training_images"] == 32
    assert made["protocol"]["reals"]["source"] == "val.npz"
    text = finished.out.with_suffix(".md").read_text()
    assert "Without --classifier top-1 and top-5" in text and "the paper's" in text
    assert "top-1 agreement" not in text
    psnr = [line.rsplit("|", 2)[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert [cell != "–" for cell in psnr[2:]] == [False, False, True, *[False] * 5]
    assert (finished.folder / "comparison.png").is_file()


def test_finished_stages_are_skipped(finished, packs, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*") if path.is_file()}
    animals.main(flags(packs, finished.root, "--features", str(finished.features)))
    out = capsys.readouterr().out
    assert out.count("done already") == 10 and "all 10 stages are done" in out
    assert before == {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*") if path.is_file()}


def test_a_teacher_stopped_by_the_clock_and_moved_comes_to_the_same_bits(
    finished, packs, tmp_path, time_is_up_at, capsys
):
    here, there, parts = tmp_path / "here", tmp_path / "there", tmp_path / "parts"
    time_is_up_at(2)
    animals.main(flags(packs, here, "--minutes", "60", "--pack", str(parts), "--part-mib", "0.5"))
    out = capsys.readouterr().out
    assert "[1/10] train the teacher" in out and "59.0 of 60 min left" in out  # one is kept for packing
    assert "the 60 minutes are up" in out and "next is stage 1 of 10" in out
    assert load_state(here / "animals64/teacher/state.pt")["step"] == 2
    assert len(list(parts.glob("*.part"))) > 1
    assert max(part.stat().st_size for part in parts.iterdir()) <= 0.5 * 2**20
    time_is_up_at(TEACHER_STEPS)
    moved = tmp_path / "train.npz"
    moved.write_bytes(packs[0].read_bytes())
    animals.main(flags((moved, packs[1]), there, "--minutes", "60", "--unpack", str(parts)))
    assert states_are_equal(there / "animals64/teacher", finished.folder / "teacher")


def test_the_clock_stops_the_writing_of_the_teacher_too(packs, tmp_path, monkeypatch, capsys):
    store = biggan.TrainableBigGAN.store
    with monkeypatch.context() as patch:
        patch.setattr(biggan.TrainableBigGAN, "store", lambda *_: signal.raise_signal(signal.SIGALRM))
        animals.main(flags(packs, tmp_path, "--minutes", "60"))
    assert "next is stage 1 of 10" in capsys.readouterr().out
    calls = []
    monkeypatch.setattr(biggan.TrainableBigGAN, "store", lambda *all: calls.append(1) or store(*all))
    config = settings(packs, tmp_path)
    animals.run_stages(stages.plan(config)[:1], config, Clock(None))
    assert has_ended(config.folder / "teacher", config.teacher()) and len(calls) == 1


def test_whatever_stops_the_stages_what_is_done_is_packed(packs, tmp_path, time_is_up_at, monkeypatch, capsys):
    def stop(*_):
        raise UserError("the disk is full")

    parts = tmp_path / "parts"
    time_is_up_at(1)
    animals.main(flags(packs, tmp_path, "--minutes", "60"))
    monkeypatch.setattr(stages, "train", stop)
    with pytest.raises(UserError, match="the disk is full"):
        animals.main(flags(packs, tmp_path, "--pack", str(parts)))
    assert list(parts.glob("*.part"))
    with pytest.raises(UserError, match="the disk is full"):
        animals.main(flags(packs, tmp_path / "new", "--pack", str(tmp_path / "none")))
    assert "warning: nothing was packed" in capsys.readouterr().err


def test_a_stage_is_not_begun_when_little_is_left(packs, tmp_path, capsys):
    config = settings(packs, tmp_path, minutes=10)
    clock = Clock(10, reserve=4)
    animals.run_stages([stages.Stage("any", "count", lambda: False, lambda _: clock.ring)], config, clock)
    assert "[1/1] count; 6.0 of 10 min left" in capsys.readouterr().out
    clock._begun -= 3 * 60
    animals.run_stages([stages.Stage("any", "count", lambda: False, pytest.fail)], config, clock)
    assert "the 10 minutes are up" in capsys.readouterr().out


def test_pairs_of_other_settings_are_not_taken(finished, packs, tmp_path):
    here = settings(packs, tmp_path)
    shutil.copytree(finished.folder, here.folder)
    (here.folder / "pixel-only/finished.json").unlink()  # so that pairs are needed
    collecting = stages.plan(here)[1]
    assert collecting.is_done()
    other = settings(packs, tmp_path, per_class=5)
    assert not stages.plan(other)[1].is_done()
    with pytest.raises(UserError, match=r"is a collection with per_class 4, and this call asks for per_class 5"):
        animals.main(flags(packs, tmp_path, "--per-class", "5"))


def test_a_finished_run_without_its_weights_replaces_older_ones(finished, packs, tmp_path):
    archive.pack(settings(packs, finished.root, lean=True), tmp_path / "lean")
    here = settings(packs, tmp_path / "here")
    older = here.folder / "no-real"
    older.mkdir(parents=True)
    for name in ("student.safetensors", "state.pt"):
        shutil.copy(finished.folder / "no-real" / name, older / name)
    archive.unpack(here, tmp_path / "lean")
    assert has_ended(older, here.student("no-real"))
    assert not (older / "student.safetensors").exists() and not (older / "state.pt").exists()


def test_a_lean_pack_leaves_the_weights_of_runs_that_are_finished_here_too(finished, packs, tmp_path):
    here = settings(packs, tmp_path / "here")
    shutil.copytree(finished.folder, here.folder)
    archive.pack(settings(packs, finished.root, lean=True), tmp_path / "lean")
    archive.unpack(here, tmp_path / "lean")
    assert all(path.is_file() for path in table.weights(here).values())


def test_the_table_goes_along(finished, packs, tmp_path):
    archive.pack(finished, tmp_path / "parts")
    there = settings(packs, tmp_path / "there", features=finished.features)
    archive.unpack(there, tmp_path / "parts")
    assert there.out.read_bytes() == finished.out.read_bytes() and there.out.with_suffix(".md").is_file()
    assert (there.folder / "comparison.png").is_file() and table.table_is_there(there)


def test_int8_student_resumes_on_another_machine(finished, packs, tmp_path, time_is_up_at):
    here = settings(packs, tmp_path / "here")
    archive.pack(finished, tmp_path / "parts")
    archive.unpack(here, tmp_path / "parts")
    for path in here.qat().folder.iterdir():
        if path.is_file():
            path.unlink()
    assert not (here.folder / "student/state.pt").exists()
    names = {stage.name: stage for stage in stages.plan(here)}
    assert names["student"].is_done() and not names["int8"].is_done() and not names["pairs"].is_done()
    time_is_up_at(1)
    animals.main(flags(packs, here.root, "--minutes", "60", "--pack", str(tmp_path / "lean"), "--lean"))
    there = settings(packs, tmp_path / "there")
    archive.unpack(there, tmp_path / "lean")
    assert not (there.folder / "no-real/student.safetensors").exists()
    assert has_ended(there.folder / "no-real", there.student("no-real"))
    animals.run_stages(stages.plan(there)[:4], there, Clock(None))
    assert states_are_equal(there.qat().folder, finished.qat().folder)
    assert stages.int8_is_done(there)


def test_unpacking_leaves_what_got_further(packs, tmp_path, time_is_up_at, capsys):
    root, parts = tmp_path / "root", tmp_path / "parts"
    time_is_up_at(1)
    animals.main(flags(packs, root, "--minutes", "60", "--pack", str(parts)))
    time_is_up_at(3)
    animals.main(flags(packs, root, "--minutes", "60"))
    animals.main(flags(packs, root, "--minutes", "0", "--unpack", str(parts)))
    assert "got further than the archive" in capsys.readouterr().out
    assert load_state(root / "animals64/teacher/state.pt")["step"] == 3


def test_other_photos_of_the_same_name_are_refused(packs, tmp_path, time_is_up_at):
    time_is_up_at(1)
    animals.main(flags(packs, tmp_path, "--minutes", "60"))
    others = write_photos(tmp_path / packs[0].name, 2, 8)
    with pytest.raises(UserError, match=r"state\.pt was made with other settings"):
        animals.main(flags((others, packs[1]), tmp_path))


def test_a_missing_or_changed_part_is_refused(finished, packs, tmp_path):
    parts = tmp_path / "parts"
    archive.pack(settings(packs, finished.root, part_mib=0.2), parts)
    elsewhere = settings(packs, tmp_path / "elsewhere")
    names = sorted(parts.iterdir())
    assert len(names) > 2
    content = names[1].read_bytes()
    names[1].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=rf"^{names[1]} was changed or cut off; copy it again$"):
        archive.unpack(elsewhere, parts)
    names[1].unlink()
    with pytest.raises(UserError, match=rf"^part 2 of {len(names)} is missing in {parts}; copy it there$"):
        archive.unpack(elsewhere, parts)
    with pytest.raises(UserError, match=r"no animals64-\*\.part in"):
        archive.unpack(elsewhere, tmp_path)
    assert not elsewhere.folder.exists()


def test_packing_again_replaces_the_parts(finished, packs, tmp_path):
    archive.pack(settings(packs, finished.root, part_mib=0.2), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    archive.pack(finished, tmp_path)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".part", ".txt"]


def test_a_teacher_too_large_to_carry_is_refused_before_the_work(packs, tmp_path):
    with pytest.raises(UserError, match=r"^the state of a teacher of 64 channels may take 1\d\d MiB, more than"):
        animals.main(flags(packs, tmp_path, "--channels-teacher", "64"))
    archive.check_state_fits(AnimalsConfig(*packs, root=tmp_path))  # that of the default fits
    assert not (tmp_path / "animals64").exists()


@pytest.mark.parametrize(
    ("distances", "said"),
    [
        (PAPER_FID, ["all terms (24.2) has the best FID-768, as in", "all other rows are in its order too"]),
        (
            PAPER_FID | {"no-feature": 70.0},
            ["all terms (24.2) has the best", "1 of 10 pairs", "− L_KD_S, L_KD_D (60.5) is no worse than"],
        ),
        (
            PAPER_FID | {"pixel-only": 3.0},
            ["Not all terms but L_KD_pix alone (3) has the best", "4 of 10 pairs"],
        ),
        ({"student": 1.0}, ["cannot be judged: there is no FID-768 of − L_GAN, "]),
    ],
)
def test_the_order_of_the_paper(distances, said):
    sentence = order_sentence(distances | {"scratch": 0.5}, "FID-768")
    assert all(part in sentence for part in said)


def test_a_signal_from_outside_is_no_end_of_time():
    clock = Clock(60)
    with pytest.raises(Interrupted) as stop, limited(clock):
        signal.raise_signal(signal.SIGTERM)
    assert stop.value.exit_status == 143 and not clock.is_up
    with pytest.raises(Interrupted), limited(Clock(0.0001)):
        signal.pause()


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--photos", "nowhere.npz"], r"^no image pack at nowhere\.npz; give one with --photos$"),
        (["--classes", "1,30,32"], r"train\.npz has no photos of 2 of the 3 classes, the first is 30; give"),
        (["--classes", "animals"], r"'animals' is no index or range"),
        (["--channels-teacher", "2"], r"^--channels-teacher must be at least 4, not 2$"),
        (["--minutes", "-1"], r"^--minutes must not be negative, not -1$"),
        (["--minutes", "2"], r"^--minutes 2 leave no time to begin a stage; give more than twice the"),
        (["--features", "nowhere.pt"], r"^no network at nowhere\.pt; give another --features or leave it out$"),
        (["--classifier", "nowhere.tflite"], r"^no network at nowhere\.tflite; give another --classifier"),
        (["--images-student", "7"], r"^--images-student 7 must be at least --batch-student 8"),
        (["--minutes", "0", "--pack", "parts"], r"holds nothing to pack yet; run a stage first$"),
    ],
)
def test_bad_input_is_one_line(packs, tmp_path, more, complaint):
    with pytest.raises(UserError, match=complaint):
        animals.main(flags(packs, tmp_path / "runs", *more))
    assert not (tmp_path / "runs").exists()
