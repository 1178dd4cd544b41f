"""Bad input and its one line; what is refused leaves nothing behind."""

import json

import numpy as np
import pytest
import torch
from stand_ins import StopAfter, replace

from train import digits, judging
from train.errors import UserError
from train.generator import Generator
from train.given_pairs import store_given_pairs
from train.locks import locked
from train.noise import GIVEN
from train.pairs import collect_pairs
from train.places import CONFIG_FILE, check_folder, read_settings
from train.run import assemble, batch_source, claimed, train
from train.sources import Sources, open_sources
from train.teacher import open_teacher


def test_a_folder_made_with_another_configuration_is_refused(tiny_config, world, tmp_path):
    train(tiny_config, tmp_path, world)
    check_folder(tmp_path, replace(tiny_config, runtime__grids=5))  # how, not what
    other = replace(tiny_config, loss__pixel=7.0, seed=9)
    with pytest.raises(UserError, match=r"made with loss.pixel 1.0, not 7.0 \(and 1 more differences\)"):
        check_folder(tmp_path, other)


def test_a_folder_of_something_else_is_refused(tiny_config, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"not made by train/main\.py"):
        check_folder(tmp_path, tiny_config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__teacher": "pairs:nowhere"}, r"train/collect.py --teacher digits --out nowhere"),
        ({"data__teacher": "nobody"}, "no teacher 'nobody'"),
        ({"data__reals": "nowhere"}, "no real images at nowhere"),
        (
            {"data__reals": ""},
            "--loss.real-discriminator is 0.2, .*no --data.reals; .* pass --loss.real-discriminator 0 --loss.re",
        ),
        ({"data__teacher": ""}, "--loss.feature is 1.0, .*but there is no --data.teacher"),
        ({"data__teacher": "", "data__reals": ""}, "nothing to learn from"),
        ({"data__classes": "3-12"}, "12"),
        ({"generator__image_size": 64}, "pass --generator.image-size 32"),
        ({"generator__num_classes": 11}, "pass --generator.num-classes 10"),
        (
            {"schedule__fresh_real_batch": True, "loss__real_discriminator": 0.0, "loss__real_generator": 0.0},
            "--schedule.fresh-real-batch needs a teacher and --loss.real-discriminator above 0; leave it out",
        ),
        ({"data__class_embedding": "missing.npy"}, "missing.npy is not a readable .npy file"),
    ],
)
def test_bad_input_is_one_line(tiny_config, world, tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as error:
        train(replace(tiny_config, **changes), tmp_path / "run", world)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()  # a corrected command may use the same folder


def test_a_class_subset_trains_on_that_subset(tiny_config, world, tmp_path):
    config = replace(tiny_config, data__classes="2,5")
    sources = open_sources(config, tmp_path / "run", world)
    assert sources.classes == [2, 5]
    assert set(sources.pairs.gather(np.arange(len(sources.pairs)))[1].tolist()) == {2, 5}


@pytest.mark.parametrize("classes", ["2,5", ""])
def test_only_classes_that_were_trained_are_judged(tiny_config, world, tmp_path, monkeypatch, classes):
    asked, measure = [], digits.measure

    def watching(images, y, teacher=None):
        asked.append(y)
        return measure(images, y, teacher)

    monkeypatch.setattr(digits, "measure", watching)
    train(replace(tiny_config, data__classes=classes, optimizer__images=8), tmp_path / "run", world)
    trained = [2, 5] if classes else list(range(10))
    assert asked[0].tolist() == (trained * 20)[: judging.JUDGED_IMAGES]


def test_the_class_embedding_may_come_from_a_file(tiny_config, world, tmp_path):
    table = np.random.default_rng(0).normal(size=(10, 128)).astype(np.float32)
    np.save(tmp_path / "table.npy", table)
    config = replace(tiny_config, data__class_embedding=str(tmp_path / "table.npy"))
    nothing = Sources(None, None, [], [], 0.5)
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


def test_from_scratch_and_its_teacher_folder(tiny_config, world, tmp_path):
    """The scratch presets at toy length: a BigGAN generator ends as a folder that the library loads."""
    from train.presets import PRESETS
    from train.teacher import open_teacher

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


def test_a_snapshot_has_the_truncation_of_its_pairs(tiny_config, world, tmp_path):
    from train.pairs import collect_pairs
    from train.snapshot import load_snapshot
    from train.teacher import open_teacher

    collect_pairs(open_teacher("digits", 1.0), tmp_path / "p", list(range(10)), per_class=8, seed=0, world=world)
    train(replace(tiny_config, data__teacher=f"pairs:{tmp_path / 'p'}"), tmp_path / "run", world)
    assert load_snapshot(tmp_path / "run" / "student.safetensors")[1].truncation == 1.0


@pytest.mark.parametrize("lost", ["student.safetensors", "quality.json", "finished.json"])
def test_a_kill_after_the_last_step_is_made_up_for(tiny_config, world, tmp_path, lost):
    train(tiny_config, tmp_path / "run", world)
    if lost == "quality.json":  # the mark comes last, so that it cannot be there without the rest
        (tmp_path / "run" / "finished.json").unlink()
    (tmp_path / "run" / lost).unlink()
    train(tiny_config, tmp_path / "run", world)
    assert {"student.safetensors", "quality.json", "finished.json", CONFIG_FILE} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_a_minute_of_training_draws_digits(world, tmp_path, monkeypatch):
    """The guard against a trainer that runs and learns nothing."""
    import json

    from train.presets import PRESETS

    monkeypatch.setattr(judging, "JUDGED_IMAGES", 500)
    config = replace(PRESETS["digits"][1], optimizer__images=9_600, data__per_class=300)
    config = replace(config, runtime__device="cpu", runtime__grids=1)
    train(config, tmp_path / "run", world)
    quality = json.loads((tmp_path / "run" / "quality.json").read_text())
    assert quality["recognised"] >= 0.95
    assert quality["diversity"] >= 0.6


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tiny_config, world, tmp_path):
    """torch.compile only rounds differently, for one run after another of other shapes in one process too."""
    from train.loop import load_state

    for batch_size in (4, 8):
        config = replace(tiny_config, optimizer__batch_size=batch_size, optimizer__images=4 * batch_size)
        moved = {}
        for mode in ("off", "on"):
            folder = tmp_path / f"{mode}-{batch_size}"
            train(replace(config, runtime__compile=mode), folder, world)
            moved[mode] = load_state(folder / "state.pt")
        start = assemble(config, open_sources(config, tmp_path / "unused", world), world).state(0)
        for name in ("generator", "discriminator"):
            for key, before in start[name].items():
                if before.dim() > 1:  # biases in front of a norm have no gradient but rounding
                    eager, compiled = ((moved[mode][name][key] - before).flatten() for mode in ("off", "on"))
                    assert (compiled - eager).norm() <= 0.1 * eager.norm() + 1e-6, (name, key)


def test_a_second_command_is_refused_where_one_trains(tiny_config, world, tmp_path):
    folder = tmp_path / "run"
    with (
        locked(folder, "trains here"),
        pytest.raises(UserError, match=r"another process trains in .*run; wait until .* choose another --run"),
    ):
        train(tiny_config, folder, world)
    assert [path.name for path in folder.iterdir() if path.name[0] != "."] == []


def test_settings_that_another_command_has_just_begun_with_are_not_overwritten(tiny_config, world, tmp_path):
    folder = tmp_path / "run"
    with claimed(folder, tiny_config, world):
        (folder / CONFIG_FILE).write_text(
            json.dumps({"settings": tiny_config.learned() | {"seed": 7}}, default=str)
        )
    with pytest.raises(UserError, match="was made with seed 7, not 3"), claimed(folder, tiny_config, world):
        pass


def test_a_setting_that_an_older_version_did_not_have_is_its_default(tiny_config, tmp_path):
    learned = json.loads(json.dumps(tiny_config.learned(), default=str))
    del learned["data"]["damaged"], learned["augment"]
    (tmp_path / CONFIG_FILE).write_text(json.dumps({"settings": learned}))
    check_folder(tmp_path, tiny_config)
    with pytest.raises(UserError, match=r"was made with data\.damaged 0, not 3"):
        check_folder(tmp_path, replace(tiny_config, data__damaged=3))


def test_weights_are_a_function_of_the_data_and_not_of_where_it_lies(tiny_config, world, tmp_path):
    written = []
    for place in ("here", "there"):
        collect = tmp_path / place / "p"
        collect_pairs(open_teacher("digits", 0.5), collect, list(range(10)), per_class=8, seed=0, world=world)
        config = replace(tiny_config, data__teacher=f"pairs:{collect}", optimizer__images=8)
        train(config, tmp_path / place / "run", world)
        written.append((tmp_path / place / "run" / "student.safetensors").read_bytes())
    assert written[0] == written[1]


def test_a_long_list_of_classes_makes_no_long_name(tiny_config, world, tmp_path):
    classes = ",".join(["0", "1", "2"] * 60)
    sources = open_sources(replace(tiny_config, data__classes=classes), tmp_path / "run", world)
    assert sources.classes == [0, 1, 2]
    [folder] = (tmp_path / "pairs").iterdir()
    assert len(folder.name) <= 150


def test_pairs_may_be_shared_by_the_whole_machine(tiny_config, world, tmp_path):
    config = replace(tiny_config, runtime__shared=str(tmp_path / "machine"))
    for run in ("a/run", "b/run"):
        open_sources(config, tmp_path / run, world)
    assert len(list((tmp_path / "machine" / "pairs").iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["machine"]


def paired_config(config, world, folder, per_class=20):
    collect_pairs(open_teacher("digits", 0.5), folder, list(range(10)), per_class=per_class, seed=0, world=world)
    return replace(config, data__teacher=f"pairs:{folder}", optimizer__images=8 * per_class)


def test_pairs_that_are_held_out_are_never_trained_on(tiny_config, world, tmp_path):
    config = paired_config(tiny_config, world, tmp_path / "p")
    sources = open_sources(config, tmp_path / "run", world)
    assert sources.pairs.held_out.tolist() == list(range(180, 200))
    z, y, _ = sources.pairs.gather(sources.pairs.held_out)
    assert y.tolist() == [*range(10)] * 2
    batches = batch_source(config, sources, world)
    seen = {tuple(row) for step in range(200 // 8) for row in batches.at(step).z.tolist()}
    assert len(seen) == 176 and not seen & {tuple(row) for row in z.tolist()}
    train(config, tmp_path / "run", world)
    assert read_settings(tmp_path / "run")["data"]["held_out"] == 5000


@pytest.mark.parametrize(("held_out", "kept"), [(0, 0), (9, 0), (10, 10), (19, 10), (5000, 20)])
def test_at_most_a_tenth_and_as_many_of_each_class_is_held_out(tiny_config, world, tmp_path, held_out, kept):
    config = replace(paired_config(tiny_config, world, tmp_path / "p"), data__held_out=held_out)
    pairs = open_sources(config, tmp_path / "run", world).pairs
    assert (len(pairs), len(pairs.held_out)) == (200 - kept, kept)


def test_nothing_is_held_out_where_the_teacher_can_draw_more(tiny_config, world, tmp_path):
    pairs = open_sources(tiny_config, tmp_path / "run", world).pairs
    assert len(pairs) == pairs.settings.count == 80
    assert "held_out" not in tiny_config.learned()["data"]


def test_a_run_that_has_begun_with_all_pairs_goes_on_so(tiny_config, world, tmp_path):
    """An older version's config.json and state do not know what is held out."""
    config = paired_config(tiny_config, world, tmp_path / "p")
    all_pairs = replace(config, data__held_out=0)
    for folder in ("old", "all"):
        train(all_pairs, tmp_path / folder, world)
    settings = json.loads((tmp_path / "old" / CONFIG_FILE).read_text())["settings"]
    assert "held_out" not in settings["data"]
    (tmp_path / "old" / "finished.json").unlink()
    weights = (tmp_path / "all" / "student.safetensors").read_bytes()
    (tmp_path / "old" / "student.safetensors").unlink()
    train(config, tmp_path / "old", world)  # as the preset says today
    assert (tmp_path / "old" / "student.safetensors").read_bytes() == weights
    assert read_settings(tmp_path / "old")["data"]["held_out"] == 0
    train(config, tmp_path / "new", world)
    assert (tmp_path / "new" / "student.safetensors").read_bytes() != weights
    with pytest.raises(UserError, match=r"was made with data\.held_out 5000, not 10"):
        train(replace(config, data__held_out=10), tmp_path / "new", world)


def test_a_second_batch_resumes_to_the_same_bits(tiny_config, world, tmp_path, monkeypatch):
    """And a run without one is recorded as by a version that did not know of it."""
    from train import loop

    changes = {"optimizer__images": 48, "runtime__grids": 0, "loss__orthogonal": 1e-4}
    config = replace(tiny_config, schedule__fresh_real_batch=True, **changes)
    train(config, tmp_path / "whole", world)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", StopAfter(4)(loop.one_step))
        with pytest.raises(loop.Interrupted):
            train(config, tmp_path / "stopped", world)
    train(config, tmp_path / "stopped", world)
    whole, stopped = (tmp_path / name / "student.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    with pytest.raises(UserError, match=r"was made with schedule\.fresh_real_batch True, not"):
        check_folder(tmp_path / "whole", replace(tiny_config, **changes))
    learned = tiny_config.learned()
    assert "fresh_real_batch" not in learned["schedule"] and "orthogonal" not in learned["loss"]


def test_a_second_batch_needs_latents_that_can_be_drawn(tiny_config, world, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((40, 32, 32, 3), np.uint8))
    np.save(tmp_path / "z.npy", np.ones((40, 128), np.float32))
    np.save(tmp_path / "y.npy", np.arange(40) % 10)
    files = (tmp_path / name for name in ("images.npy", "z.npy", "y.npy", "pairs"))
    settings = {"truncation": 1.0, "image_size": None, "shard_size": 100, "world": world, "command": ""}
    store_given_pairs(*files, names=[], sampler=GIVEN, **settings)
    config = replace(tiny_config, data__teacher=f"pairs:{tmp_path / 'pairs'}", schedule__fresh_real_batch=True)
    with pytest.raises(UserError, match=r"fresh-real-batch the student learned from given latents"):
        train(config, tmp_path / "run", world)
    assert not (tmp_path / "run").exists()
