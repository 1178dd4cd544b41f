from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from stand_ins import FixedPairs

from train.augment import BLACK, GREY, RANDOM_NUMBERS, augmented, shift_and_cutout
from train.batches import BatchSource, ClassBalancedReals, ScratchLatents
from train.distributed import World
from train.errors import UserError
from train.reals import RealImages

CPU = torch.device("cpu")


def source(pairs=None, reals=None, *, world=None, batch_size=8, seed=5, augment=False, paired=True) -> BatchSource:
    world = world or World(0, 1, CPU)
    return BatchSource(
        batch_size=batch_size,
        seed=seed,
        world=world,
        pairs=pairs,
        reals=reals,
        scratch=None if pairs else ScratchLatents(list(range(10)), 128, 0.5, paired),
        augment=augment,
    )


def reals_of(classes: int = 10) -> ClassBalancedReals:
    """Images whose every byte is their class."""
    labels = np.repeat(np.arange(classes), 3)
    images = np.tile(labels[:, None, None, None], (1, 32, 32, 3)).astype(np.uint8)
    return ClassBalancedReals(RealImages(images, labels, "made here"))


def test_a_batch_depends_on_the_seed_and_the_step_alone():
    first, second = source(FixedPairs()), source(FixedPairs())
    ahead = [first.at(step) for step in range(12)]
    alone = second.at(9)
    assert torch.equal(ahead[9].z, alone.z)
    assert torch.equal(ahead[9].teacher, alone.teacher)
    assert not torch.equal(source(FixedPairs(), seed=6).at(9).z, alone.z)


def test_an_epoch_shows_every_pair_once():
    pairs = FixedPairs(40)
    batches = source(pairs)
    for epoch in range(2):
        seen = torch.cat([batches.at(epoch * 5 + step).z for step in range(5)])
        assert torch.equal(seen.sort(dim=0).values, pairs.z.sort(dim=0).values)
    assert not torch.equal(batches.at(0).z, batches.at(5).z)


def test_batches_prepared_in_several_threads_are_those_of_one():
    pairs = FixedPairs(40)  # five steps an epoch, so that threads work on two epochs at a time
    one, several = source(pairs), source(pairs)
    several._threads = ThreadPoolExecutor(max_workers=4)
    for step in range(40):
        assert torch.equal(one.at(step).z, several.at(step).z)
    assert torch.equal(one.at(3).z, several.at(3).z)  # and back


def test_real_images_have_the_classes_of_the_pairs():
    batch = source(FixedPairs(), reals_of()).at(0)
    shown = ((batch.real[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(shown, batch.y)


@pytest.mark.parametrize("scratch", [False, True])
def test_the_shares_of_two_processes_make_up_the_global_batch(scratch):
    pairs = None if scratch else FixedPairs()
    whole = source(pairs, reals_of(), augment=True).at(3)
    shares = [source(pairs, reals_of(), world=World(r, 2, CPU), augment=True).at(3) for r in range(2)]
    for name in ("z", "real"):
        together = torch.cat([getattr(share, name) for share in shares])
        assert torch.equal(
            together.flatten(1).sort(dim=0).values, getattr(whole, name).flatten(1).sort(dim=0).values
        )
    if scratch:  # halves of each share have the same classes, which the mode-seeking term needs
        for batch in (whole, *shares):
            first, second = batch.y.chunk(2)
            assert torch.equal(first, second)


def test_latents_without_a_teacher_are_truncated_and_never_repeat():
    batches = source(None, reals_of())
    drawn = torch.cat([batches.at(step).z for step in range(6)])
    assert drawn.abs().max() < 2
    assert len(torch.unique(drawn, dim=0)) == 48
    assert {batches.at(step).diversity_target for step in range(20)} == {0.8, 1.0}


def test_latents_of_the_plain_baseline_have_one_truncation_and_any_classes():
    batches = source(None, reals_of(), paired=False)
    drawn = [batches.at(step) for step in range(20)]
    assert torch.cat([batch.z for batch in drawn]).abs().max() < 1
    assert {batch.diversity_target for batch in drawn} == {0.0}
    assert not all(torch.equal(*batch.y.chunk(2)) for batch in drawn)
    assert set(torch.cat([batch.y for batch in drawn]).tolist()) == set(range(10))


@pytest.mark.parametrize(("count", "batch_size", "size"), [(40, 9, 2), (4, 8, 1)])
def test_a_batch_that_does_not_split_or_is_larger_than_the_data_is_refused(count, batch_size, size):
    with pytest.raises(UserError, match=f"--optimizer.batch-size {batch_size}"):
        source(FixedPairs(count), world=World(0, size, CPU), batch_size=batch_size)


def test_shift_and_cutout():
    images = torch.arange(2 * 3 * 20 * 20, dtype=torch.float32).reshape(2, 3, 20, 20) / 1e4
    uniform = torch.tensor([[0.0, 0.999, 0.5, 0.0, 0.0], [0.9, 0.999, 0.5, 0.0, 0.0]])
    changed = shift_and_cutout(images, uniform, 0.6, BLACK)
    assert torch.equal(changed[1], images[1])  # 0.9 is not below 0.6
    assert (changed[0, :, :5, :5] == BLACK).all()  # the hole, a quarter of the side
    assert torch.equal(changed[0, :, 7:, :], images[0, :, 5:-2, :])  # two rows down, a tenth of the side


def test_augmentation_is_differentiable_and_bounded():
    images = torch.zeros(64, 3, 32, 32, requires_grad=True)
    uniform = torch.rand(64, RANDOM_NUMBERS, generator=torch.Generator().manual_seed(0))
    changed = augmented(images, uniform, 1.0, photographs=False)
    changed.sum().backward()
    assert set(images.grad.unique().tolist()) == {0.0, 1.0}
    blank = (changed[:, 0] == BLACK).float().mean()
    assert 1 / 16 - 1e-6 <= blank < 1 / 16 + 2 * 3 / 32


def test_photographs_change_their_colours_too():
    images = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    uniform = torch.rand(64, RANDOM_NUMBERS, generator=torch.Generator().manual_seed(0))
    assert torch.equal(augmented(images, uniform, 0.0, photographs=True), images)
    middle = torch.full((64, 3, 32, 32), 0.2)
    uniform[:, 1:3], uniform[:, 3:5] = 0.5, 0.0  # no shift; the hole in the corner
    changed = augmented(middle, uniform, 1.0, photographs=True)
    assert (changed[:, :, :8, :8] == GREY).all()
    # A plain grey image has neither saturation nor contrast to change.
    assert torch.allclose(changed[:, 0, -1, -1], 0.2 + uniform[:, 5] - 0.5, atol=1e-6)
    uniform[:, 5:8] = 0.5
    assert torch.allclose(augmented(images, uniform, 1.0, photographs=True)[:, :, 8:], images[:, :, 8:], atol=1e-6)
    uniform[:, 6] = 0.0
    grey = augmented(images, uniform, 1.0, photographs=True)[:, :, 8:]
    assert torch.allclose(grey, images.mean(dim=1, keepdim=True).expand_as(images)[:, :, 8:], atol=1e-6)


def test_mirrored_reals_come_as_often_mirrored():
    images = np.arange(2 * 1 * 4 * 3, dtype=np.uint8).reshape(2, 1, 4, 3)
    photos = RealImages(images, np.array([0, 0]), "made here")
    reals = ClassBalancedReals(photos, mirror=True)
    uniform = (np.arange(400) + 0.5) / 400
    drawn = reals.draw(np.zeros(400, np.int64), uniform).numpy()
    for index in (0, 1):
        straight, mirrored = (
            (drawn == wanted).all(axis=(1, 2, 3)).sum() for wanted in (images[index], images[index, :, ::-1])
        )
        assert (straight, mirrored) == (100, 100)
    plain = ClassBalancedReals(photos).draw(np.zeros(400, np.int64), uniform).numpy()
    assert [int((plain == image).all(axis=(1, 2, 3)).sum()) for image in images] == [200, 200]


def test_a_second_batch_has_the_classes_of_the_real_images_and_latents_of_its_own():
    """Four of five images are of class 7, and so are the second batch's classes; the pairs' are in turn."""
    labels = np.array([7] * 40 + [2] * 10)
    images = np.tile(labels[:, None, None, None], (1, 32, 32, 3)).astype(np.uint8)

    def batches(world):
        fresh = ScratchLatents([2, 7], 128, 0.5, paired=False, sampler="splitmix64-uniform-v1")
        reals = ClassBalancedReals(RealImages(images, labels, "made here"))
        return BatchSource(
            batch_size=8,
            seed=5,
            world=world,
            pairs=FixedPairs(),
            reals=reals,
            scratch=None,
            augment=False,
            fresh=fresh,
        )

    source = batches(World(0, 1, CPU))
    drawn = [source.at(step) for step in range(50)]
    for batch in drawn:
        shown = ((batch.real[:, 0, 0, 0] + 1) * 127.5).round().long()
        assert torch.equal(shown, batch.fresh_y)
    assert (torch.cat([batch.fresh_y for batch in drawn]) == 7).float().mean() == pytest.approx(0.8, abs=0.06)
    z = torch.cat([batch.fresh_z for batch in drawn])
    assert len(torch.unique(z, dim=0)) == 400 and 0.49 < z.abs().max() <= 0.5  # uniform, half as long
    assert torch.equal(batches(World(0, 1, CPU)).at(9).fresh_z, drawn[9].fresh_z)
    shares = [batches(World(rank, 2, CPU)).at(9) for rank in range(2)]
    assert torch.equal(torch.stack([s.fresh_z for s in shares], 1).flatten(0, 1), drawn[9].fresh_z)
    assert torch.equal(torch.stack([s.fresh_y for s in shares], 1).flatten(), drawn[9].fresh_y)
