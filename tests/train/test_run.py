"""Bad input and its one line; what is refused leaves nothing behind."""

import numpy as np
import pytest
import torch
from stand_ins import replace

from train.errors import UserError
from train.generator import Generator
from train.run import assemble, claim_folder, train
from train.sources import Sources, open_sources


def test_a_folder_made_with_another_configuration_is_refused(tiny_config, world, tmp_path):
    claim_folder(tmp_path, tiny_config, world)
    claim_folder(tmp_path, replace(tiny_config, runtime__grids=5), world)  # how, not what
    other = replace(tiny_config, loss__pixel=7.0, seed=9)
    with pytest.raises(UserError, match=r"made with loss.pixel 1.0, not 7.0 \(and 1 more differences\)"):
        claim_folder(tmp_path, other, world)


def test_a_folder_of_something_else_is_refused(tiny_config, world, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"not made by train/main\.py"):
        claim_folder(tmp_path, tiny_config, world)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__teacher": "pairs:nowhere"}, r"python train/collect.py --teacher biggan-deep-128 --out nowhere"),
        ({"data__teacher": "nobody"}, "no teacher 'nobody'"),
        ({"data__reals": "nowhere"}, "no real images at nowhere"),
        ({"data__reals": ""}, "--loss.real-discriminator is 0.2 but there is no --data.reals"),
        ({"data__teacher": ""}, "--loss.feature is 1.0 but there is no --data.teacher"),
        ({"data__teacher": "", "data__reals": ""}, "nothing to learn from"),
        ({"data__classes": "3-12"}, "12"),
        ({"generator__image_size": 64}, "pass --generator.image-size 32"),
        ({"generator__num_classes": 11}, "pass --generator.num-classes 10"),
        ({"data__class_embedding": "missing.npy"}, "missing.npy is not a readable .npy file"),
    ],
)
def test_bad_input_is_one_line(tiny_config, world, tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as error:
        train(replace(tiny_config, **changes), tmp_path / "run", world)
    assert "\n" not in str(error.value)


def test_a_class_subset_trains_on_that_subset(tiny_config, world, tmp_path):
    config = replace(tiny_config, data__classes="2,5")
    sources = open_sources(config, tmp_path / "run", world)
    assert sources.classes == [2, 5]
    assert set(sources.pairs.gather(np.arange(len(sources.pairs)))[1].tolist()) == {2, 5}


def test_the_class_embedding_may_come_from_a_file(tiny_config, world, tmp_path):
    table = np.random.default_rng(0).normal(size=(10, 128)).astype(np.float32)
    np.save(tmp_path / "table.npy", table)
    config = replace(tiny_config, data__class_embedding=str(tmp_path / "table.npy"))
    nothing = Sources(None, None, [], [])
    training = assemble(config, nothing, world)
    for module in (training.players.generator, training.average.module):
        assert isinstance(module, Generator)
        assert torch.equal(module.class_embedding.weight, torch.from_numpy(table))
    np.save(tmp_path / "table.npy", table[:9])
    with pytest.raises(UserError, match=r"shape \[10, 128\]"):
        assemble(config, nothing, world)


def test_a_student_may_be_the_teacher(tiny_config, world, tmp_path):
    train(tiny_config, tmp_path / "first", world)
    config = replace(tiny_config, data__teacher=f"snapshot:{tmp_path / 'first' / 'student.safetensors'}")
    train(config, tmp_path / "second", world)
    assert (tmp_path / "second" / "student.safetensors").exists()


def test_from_scratch_and_its_teacher_folder(tiny_config, world, tmp_path, monkeypatch):
    """The scratch presets at toy length: a BigGAN generator ends as a folder that the library loads."""
    from train.config import PRESETS
    from train.teacher import open_teacher

    monkeypatch.setattr("train.biggan.STATISTICS_IMAGES", 20)
    config = replace(
        PRESETS["scratch-digits"][1],
        optimizer__images=64,
        discriminator=tiny_config.discriminator,
        runtime=tiny_config.runtime,
    )
    train(config, tmp_path / "scratch", world)
    assert open_teacher(str(tmp_path / "scratch" / "teacher")).image_size == 32
    student = replace(PRESETS["scratch-digits-student"][1], optimizer__images=64, runtime=tiny_config.runtime)
    train(student, tmp_path / "student", world)
    assert (tmp_path / "student" / "student.safetensors").exists()


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tiny_config, world, tmp_path):
    """torch.compile only rounds differently."""
    from train.checkpoint import load_state

    for name, mode in (("eager", "off"), ("compiled", "on")):
        train(replace(tiny_config, runtime__compile=mode), tmp_path / name, world)
    eager, compiled = (load_state(tmp_path / n / "state.pt")["generator"] for n in ("eager", "compiled"))
    assert eager.keys() == compiled.keys()
    assert all(torch.allclose(eager[n].float(), compiled[n].float(), atol=2e-2) for n in eager)
