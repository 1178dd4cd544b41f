import dataclasses

import pytest
import torch

from train import losses
from train.batches import Batch
from train.config import LossConfig, ScheduleConfig
from train.discriminator import Discriminator
from train.generator import Generator, GeneratorConfig
from train.presets import PIXEL_ONLY, ablations, from_scratch
from train.step import Players, StepWeights, train_step, weights_at

OFF = StepWeights(0, 0, 0, 0, 0, 0, 0)
TERMS = [f.name for f in dataclasses.fields(StepWeights) if f.name != "orthogonal"]  # which moves nothing alone


def make_players() -> Players:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(channels=2, image_size=32, num_classes=10))
    discriminator = Discriminator(4, 32, 10)
    return Players(
        generator,
        discriminator,
        torch.optim.SGD(generator.parameters(), lr=0.1),
        torch.optim.SGD(discriminator.parameters(), lr=0.1),
        real_distance=torch.tensor(0.5),
    )


def make_batch(count: int = 6) -> Batch:
    torch.manual_seed(1)
    y = torch.arange(count) % (count // 2)
    images = torch.rand(2, count, 3, 32, 32) * 2 - 1
    return Batch(torch.randn(count, 128), y, images[0], images[1], None, 0.8)


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.named_parameters()}


def changed(before: dict[str, torch.Tensor], module: torch.nn.Module) -> bool:
    return any(not torch.equal(before[name], value) for name, value in module.named_parameters())


def test_released_schedule_adds_the_adversarial_terms_every_nth_step():
    loss, schedule = LossConfig(), ScheduleConfig("released", every=5)
    adversarial = [weights_at(loss, schedule, step, 100).adversarial > 0 for step in range(10)]
    assert adversarial == [False] * 4 + [True] + [False] * 4 + [True]
    assert all(weights_at(loss, schedule, step, 100).feature == 1 for step in range(10))


def test_paper_schedule_updates_the_generator_once_per_n_discriminator_updates():
    schedule = ScheduleConfig("paper", every=10)
    weights = [weights_at(LossConfig(), schedule, step, 100) for step in range(20)]
    assert [w.trains_generator for w in weights] == ([False] * 9 + [True]) * 2
    assert all(w.trains_discriminator for w in weights)


def test_the_pixel_weight_decays_with_the_step():
    loss = LossConfig(pixel=0.2, pixel_decay_end=0.5)
    values = [weights_at(loss, ScheduleConfig(), step, 100).pixel for step in (0, 25, 50, 99)]
    assert values == pytest.approx([0.2, 0.1, 0, 0])
    constant = dataclasses.replace(loss, pixel_decay_end=0.0)
    assert weights_at(constant, ScheduleConfig(), 99, 100).pixel == 0.2


def test_each_ablation_switches_its_terms_off(tiny_config):
    schedule = ScheduleConfig("released", every=1)
    rows = {n: weights_at(c.loss, schedule, 0, 10) for n, c in ablations(tiny_config).items()}
    assert rows["no-feature"].feature == 0
    assert rows["no-feature"].distillation_discriminator == 1
    assert (rows["no-real"].real_generator, rows["no-real"].real_discriminator) == (0, 0)
    kept = rows["no-adversarial"]
    assert (kept.distillation_generator, kept.distillation_discriminator) == (0, 0)
    assert min(kept.feature, kept.real_generator, kept.real_discriminator) > 0
    assert not rows["pixel-only"].trains_discriminator
    assert rows["pixel-only"].pixel == PIXEL_ONLY.pixel
    scratch = weights_at(from_scratch(tiny_config).loss, schedule, 0, 10)
    assert (
        scratch.feature,
        scratch.pixel,
        scratch.distillation_generator,
        scratch.distillation_discriminator,
    ) == (0,) * 4
    assert scratch.real_generator == scratch.real_discriminator == 1


@pytest.mark.parametrize("term", TERMS)
def test_each_term_moves_the_network_that_it_belongs_to(term):
    players = make_players()
    generator, discriminator = snapshot(players.generator), snapshot(players.discriminator)
    terms = train_step(players, make_batch(), dataclasses.replace(OFF, **{term: 1.0}))
    of_discriminator = term.endswith("discriminator")
    assert changed(generator, players.generator) != of_discriminator
    assert changed(discriminator, players.discriminator) == of_discriminator
    assert len(terms) == 1
    assert not any(value.requires_grad for value in terms.values())


def test_reported_terms_are_those_of_the_losses():
    players, batch = make_players(), make_batch()
    with torch.no_grad():
        student = players.generator(batch.z, batch.y)  # the same batch statistics as in the step
        pixel = losses.pixel_loss(batch.teacher, student)
    assert train_step(players, batch, dataclasses.replace(OFF, pixel=2.0))["g_pixel"] == pytest.approx(
        float(pixel)
    )


def test_the_discriminator_learns_equation_7_on_one_call():
    players, batch = make_players(), make_batch()
    calls = []
    players.discriminator.register_forward_hook(lambda module, args, out: calls.append(len(args[0])))
    train_step(players, batch, dataclasses.replace(OFF, distillation_discriminator=1.0, real_discriminator=0.2))
    assert calls == [18]  # teacher, real and student images together


def test_student_and_teacher_features_come_from_one_discriminator_state():
    players, batch = make_players(), make_batch()
    seen = []

    def remember(module, args, out):
        if not module.training:
            seen.append({n: v.clone() for n, v in module.state_dict().items()})

    players.discriminator.register_forward_hook(remember)
    weights = dataclasses.replace(OFF, feature=1.0, distillation_discriminator=1.0)
    train_step(players, batch, weights)
    assert len(seen) == 2
    assert all(torch.equal(seen[0][name], seen[1][name]) for name in seen[0])


def test_identical_images_have_no_feature_loss():
    players, batch = make_players(), make_batch()
    with torch.no_grad():
        student = players.generator(batch.z, batch.y)
    batch = dataclasses.replace(batch, teacher=student)
    assert train_step(players, batch, dataclasses.replace(OFF, feature=1.0))["g_feature"] == 0


def test_bfloat16_keeps_losses_and_weights_in_float32():
    players, batch = make_players(), make_batch()
    players.precision = torch.bfloat16
    terms = train_step(players, batch, StepWeights(1, 1, 1, 1, 1, 1, 1))
    assert {value.dtype for value in terms.values()} == {torch.float32}
    assert {p.dtype for p in players.generator.parameters()} == {torch.float32}
    assert all(torch.isfinite(value) for value in terms.values())


def with_second_batch(batch: Batch) -> Batch:
    torch.manual_seed(2)
    return dataclasses.replace(batch, fresh_z=torch.randn(6, 128), fresh_y=torch.tensor([4, 4, 4, 9, 0, 1]))


@pytest.mark.parametrize("term", ["real_discriminator", "real_generator"])
def test_real_images_are_judged_against_the_second_batch_where_there_is_one(term):
    players, by_hand, batch = make_players(), make_players(), with_second_batch(make_batch())
    terms = train_step(players, batch, dataclasses.replace(OFF, **{term: 0.3}))
    generator, discriminator = by_hand.generator, by_hand.discriminator
    generator(batch.z, batch.y)  # the first batch is drawn too, and its norms see it
    student = generator(batch.fresh_z, batch.fresh_y)
    if term == "real_discriminator":
        scores, _ = discriminator(torch.cat([batch.real, student.detach()]), batch.fresh_y.repeat(2))
        loss = (1 - scores[:6]).clamp(min=0).mean() + (1 + scores[6:]).clamp(min=0).mean()
        moved, start, name = players.discriminator, discriminator, "d_real"
    else:
        discriminator.eval()
        loss = -discriminator(student, batch.fresh_y)[0].mean()
        moved, start, name = players.generator, generator, "g_real"
    (0.3 * loss).backward()
    assert float(terms[name]) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert set(terms) == {name}
    for parameter, before in zip(moved.parameters(), start.parameters(), strict=True):
        if before.grad is not None:
            torch.testing.assert_close(parameter, before - 0.1 * before.grad, rtol=1e-4, atol=1e-7)


def test_with_a_second_batch_the_discriminator_is_called_once_for_each_update():
    players, batch, calls = make_players(), with_second_batch(make_batch()), []
    players.discriminator.register_forward_hook(lambda module, args, out: calls.append(len(args[0])))
    terms = train_step(players, batch, StepWeights(1, 1, 1, 1, 1, 1, 0))
    # Teacher, real, student and fresh images; the teacher's alone for their features; student and fresh.
    assert calls == [24, 6, 12]
    assert set(terms) == {"d_distillation", "d_real", "g_feature", "g_real", "g_adversarial", "g_pixel"}


def test_orthogonal_regularisation_takes_the_gradient_of_its_loss():
    """By hand, for the weights of linears and of convolutions over all channels, and no others."""
    plain, regularised, batch = make_players(), make_players(), make_batch()
    kernels = {
        name: value.detach().clone().flatten(1)
        for name, value in regularised.generator.named_parameters()
        if value.dim() > 1 and "depthwise" not in name and not name.startswith("class_embedding")
    }
    train_step(plain, batch, dataclasses.replace(OFF, pixel=1.0))
    terms = train_step(regularised, batch, dataclasses.replace(OFF, pixel=1.0, orthogonal=0.01))
    expected = 0.0
    after = dict(regularised.generator.named_parameters())
    for name, value in plain.generator.named_parameters():
        step = torch.zeros_like(value).detach()
        if name in kernels:
            w = kernels[name]
            off = w @ w.T * (1 - torch.eye(len(w)))
            expected += float(off.square().sum())
            step = 0.1 * 0.01 * (4 * off @ w).view_as(value)
        torch.testing.assert_close(after[name], value - step, rtol=1e-4, atol=1e-6)
    assert expected > 0 and float(terms["g_orthogonal"]) == pytest.approx(expected, rel=1e-4)


def test_orthogonal_regularisation_goes_along_with_updates_only():
    loss = LossConfig(orthogonal=1e-4)
    weights = [weights_at(loss, ScheduleConfig("paper", every=2), step, 100) for step in range(4)]
    assert [w.orthogonal for w in weights] == [0, 1e-4, 0, 1e-4]
    assert [w.trains_generator for w in weights] == [False, True, False, True]
    assert all(w.trains_discriminator for w in weights)  # BigGAN's two steps of it


SCHEDULES = {"released": ScheduleConfig("released", every=5), "paper": ScheduleConfig("paper", every=5)}
WEIGHTS = LossConfig(
    feature=0.7,
    pixel=0.3,
    pixel_decay_end=0.5,
    distillation_generator=0.11,
    real_generator=0.05,
    distillation_discriminator=0.6,
    real_discriminator=0.2,
    mode_seeking=0.4,
)
STEP, STEPS = 9, 40  # at which either schedule trains on every term, and λ1 has fallen by 9 / 20


def term_by_hand(term: str, players: Players, batch: Batch) -> torch.Tensor:
    generator, discriminator = players.generator, players.discriminator
    student = generator(batch.z, batch.y)
    if term == "pixel":
        return 0.3 * (1 - 9 / 20) * (student - batch.teacher).abs().mean()
    if term == "mode_seeking":
        apart = (student[:3] - student[3:]).abs().mean()
        return 0.4 * (0.8 - apart / 0.5).clamp(min=0)
    if term.endswith("_discriminator"):
        genuine, weight = (batch.teacher, 0.6) if term.startswith("dist") else (batch.real, 0.2)
        scores, _ = discriminator(torch.cat([genuine, student.detach()]), batch.y.repeat(2))
        return weight * ((1 - scores[:6]).clamp(min=0).mean() + (1 + scores[6:]).clamp(min=0).mean())
    discriminator.eval()
    scores, features = discriminator(student, batch.y)
    if term == "feature":
        _, wanted = discriminator(batch.teacher, batch.y)
        shares = (1 / 8, 1 / 4, 1)
        terms = [w * (s - t.detach()).abs().mean() for w, s, t in zip(shares, features, wanted, strict=True)]
        return 0.7 * torch.stack(terms).sum()
    return {"distillation_generator": 0.11, "real_generator": 0.05}[term] * -scores.mean()


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("term", TERMS)
def test_a_step_follows_the_weighted_gradient_of_each_term(term, kind):
    others = {f.name: 0.0 for f in dataclasses.fields(StepWeights) if f.name != term}
    weights = weights_at(dataclasses.replace(WEIGHTS, **others), SCHEDULES[kind], STEP, STEPS)
    players, by_hand, batch = make_players(), make_players(), make_batch()
    train_step(players, batch, weights)
    term_by_hand(term, by_hand, batch).backward()
    name = "discriminator" if term.endswith("_discriminator") else "generator"
    moved, start = getattr(players, name), getattr(by_hand, name)
    total = 0.0
    for parameter, before in zip(moved.parameters(), start.parameters(), strict=True):
        if before.grad is not None:
            torch.testing.assert_close(parameter, before - 0.1 * before.grad, rtol=1e-4, atol=1e-7)
            total += float(before.grad.abs().sum())
    assert total > 0


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_step_follows_all_terms_together(kind):
    players, by_hand, batch = make_players(), make_players(), make_batch()
    weights = dataclasses.replace(weights_at(WEIGHTS, SCHEDULES[kind], STEP, STEPS), mode_seeking=0.0)
    for optimizer in (players.discriminator_optimizer, by_hand.discriminator_optimizer):
        optimizer.param_groups[0]["lr"] = 0.0  # the student is judged by the discriminator that is there
    with torch.no_grad():  # the update of the discriminator moves its spectral vectors all the same
        student = make_players().generator(batch.z, batch.y)
        by_hand.discriminator(torch.cat([batch.teacher, batch.real, student]), batch.y.repeat(3))
    train_step(players, batch, weights)
    names = ("feature", "pixel", "distillation_generator", "real_generator")
    gradients = []
    for name in names:
        by_hand.generator.zero_grad()
        term_by_hand(name, by_hand, batch).backward()
        gradients.append([p.grad.clone() for p in by_hand.generator.parameters()])
    for parameter, before, *parts in zip(
        players.generator.parameters(), by_hand.generator.parameters(), *gradients, strict=True
    ):
        torch.testing.assert_close(parameter, before - 0.1 * sum(parts), rtol=1e-3, atol=1e-6)


def test_the_released_codes_step_and_ours_agree_in_numbers():
    """With a discriminator that stands still, and without fresh latents, the two are the same computation."""
    from benchmarks.throughput.released import ReleasedBatch, released_step

    batch, weights = make_batch(), StepWeights(0.7, 0.3, 0.11, 0.0, 0.6, 0.2, 0.0)
    results = []
    for step in ("ours", "released"):
        players = make_players()
        players.discriminator_optimizer.param_groups[0]["lr"] = 0.0
        with torch.no_grad():
            for _ in range(60):  # the spectral vectors have arrived, so that another call changes nothing
                players.discriminator(batch.real, batch.y)
        if step == "ours":
            terms = train_step(players, batch, weights)
            terms["g_distillation"] = terms.pop("g_adversarial")
        else:
            released = ReleasedBatch(batch.z, batch.y, batch.teacher, batch.real, batch.y)
            terms = released_step(players, released, weights, 0.5)
        results.append((terms, list(players.generator.parameters())))
    (ours, our_weights), (theirs, their_weights) = results
    for name in ("d_distillation", "g_feature", "g_pixel", "g_distillation"):
        assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-4)
    for ours_, theirs_ in zip(our_weights, their_weights, strict=True):
        torch.testing.assert_close(ours_, theirs_, rtol=1e-3, atol=1e-5)


def test_weights_on_the_device_do_what_plain_ones_do():
    weights = StepWeights(0.7, 0.3, 0.11, 0.05, 0.6, 0.2, 0.4)
    plain, on_device = make_players(), make_players()
    batch = make_batch()
    train_step(plain, batch, weights)
    # What the weights themselves are does not count then, but for being active.
    values = {name: torch.tensor(value) for name, value in weights.values().items()}
    target = dataclasses.replace(batch, diversity_target=torch.tensor(batch.diversity_target))
    train_step(on_device, target, StepWeights(1, 1, 1, 1, 1, 1, 1), values)
    for name in ("generator", "discriminator"):
        for one, other in zip(*(getattr(p, name).parameters() for p in (plain, on_device)), strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
