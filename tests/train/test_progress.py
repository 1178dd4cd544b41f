import json

import numpy as np
import pytest
import torch
from PIL import Image

from train.errors import UserError
from train.generator import Generator, GeneratorConfig
from train.progress import Progress, Reference, comparison_sheet, relative_diversity


@pytest.fixture
def reference() -> Reference:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    return Reference(torch.randn(4, 128), torch.tensor([0, 1, 0, 1]), images, 2, ["zero", "one"])


@pytest.fixture
def progress(tmp_path, world, reference):
    def make(steps=20, log_every=2, grids=2, start=0):
        average = Generator(GeneratorConfig(channels=2, image_size=32, num_classes=2))
        made = Progress(
            tmp_path,
            world,
            steps=steps,
            batch_size=4,
            log_every=log_every,
            grids=grids,
            average=average,
            reference=reference,
        )
        made.start(start)
        return made

    return make


def entries(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]


def test_entries_are_means_over_the_steps_in_which_a_term_was_active(progress, tmp_path):
    watched = progress(log_every=4)
    for step in range(1, 5):
        terms = {"g_pixel": torch.tensor(float(step))}
        if step == 4:
            terms["g_adversarial"] = torch.tensor(7.0)
        watched.after_step(step, terms)
    (entry,) = entries(tmp_path)
    assert (entry["step"], entry["images"]) == (4, 16)
    assert (entry["g_pixel"], entry["g_adversarial"]) == (2.5, 7)


def test_a_term_that_is_not_finite_stops_the_run(progress, tmp_path):
    watched = progress()
    watched.after_step(1, {"g_pixel": torch.tensor(1.0)})
    watched.after_save(1)
    with pytest.raises(
        UserError, match=r"the term g_pixel \(step 2\) is no longer finite; the state after 1 steps"
    ):
        watched.after_step(2, {"g_pixel": torch.tensor(float("nan"))})
    assert entries(tmp_path) == []


def test_pinned_discriminator_losses_raise_one_alarm(progress, tmp_path, capsys):
    watched = progress(steps=60)
    for step in range(1, 50):
        watched.after_step(step, {"d_distillation": torch.tensor(0.001), "d_real": torch.tensor(2.0)})
    alarms = [entry for entry in entries(tmp_path) if "alarm" in entry]
    assert [a["alarm"] for a in alarms if a["alarm"] == "discriminator"] == ["discriminator"]
    assert "possible collapse: the discriminator's losses are pinned" in capsys.readouterr().err


def test_lost_diversity_raises_an_alarm(progress, tmp_path):
    watched = progress(steps=20, grids=2)
    with torch.no_grad():  # an untrained input layer: every z gives the same image
        watched.average.input_linear.weight.zero_()
    for step in range(1, 11):
        watched.after_step(step, {"d_real": torch.tensor(1.0)})
    assert [entry["alarm"] for entry in entries(tmp_path) if "alarm" in entry] == ["diversity"]
    assert (tmp_path / "samples" / "step-0000010.png").exists()


def test_a_resumed_log_drops_what_will_come_again(progress, tmp_path):
    lines = [json.dumps({"step": step}) for step in (2, 4, 6)]
    (tmp_path / "stats.jsonl").write_text("\n".join(lines) + '\n{"step": 8, "g_pi')
    progress(start=4)
    assert [entry["step"] for entry in entries(tmp_path)] == [2, 4]


def test_sheets_put_the_reference_above(reference, tmp_path):
    comparison_sheet(reference, [np.zeros_like(reference.images)], tmp_path / "sheet.png")
    picture = np.asarray(Image.open(tmp_path / "sheet.png"))
    top = picture.shape[0] - 4 * 64 - 2 * 2 - 8  # two pairs of rows and the gap between them
    assert picture.shape[1] == 2 * 64
    assert np.array_equal(picture[top : top + 64 : 2, 0:64:2], reference.images[0])
    assert (picture[top + 64 : top + 66] == 255).all()
    assert (picture[top + 66 : top + 130] == 0).all()
    assert (picture[top + 130 : top + 138] == 255).all()


def test_relative_diversity(reference):
    assert relative_diversity(reference.images, reference) == pytest.approx(1)
    assert relative_diversity(np.zeros_like(reference.images), reference) == 0
