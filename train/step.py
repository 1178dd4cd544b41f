"""One update of discriminator and student; quantization-aware training calls the same."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from train import losses
from train.augment import augmented
from train.batches import Batch
from train.config import LossConfig, OptimizerConfig, ScheduleConfig

Values = Mapping[str, float | torch.Tensor]
"""Weights by the names of `StepWeights`; scalars on the device where a recorded step has to read new ones."""


@dataclasses.dataclass(frozen=True)
class StepWeights:
    """The weights of every term at one step; 0 leaves a term out of the computation."""

    feature: float
    pixel: float
    distillation_generator: float
    real_generator: float
    distillation_discriminator: float
    real_discriminator: float
    mode_seeking: float
    orthogonal: float = 0.0

    @property
    def trains_discriminator(self) -> bool:
        """Whether the discriminator is updated."""
        return self.distillation_discriminator > 0 or self.real_discriminator > 0

    @property
    def adversarial(self) -> float:
        """λ2 + λ3: L_KD_S and L_GAN_S are the same function of the same images (equation 2)."""
        return self.distillation_generator + self.real_generator

    def values(self) -> Values:
        """Return all weights by name."""
        return dataclasses.asdict(self)

    @property
    def trains_generator(self) -> bool:
        """Whether the generator is updated."""
        return any((self.feature, self.pixel, self.adversarial, self.mode_seeking))


def weights_at(loss: LossConfig, schedule: ScheduleConfig, step: int, steps: int) -> StepWeights:
    """Return the weights at `step` of `steps`, a function of the step alone so that resuming is exact."""
    decay = 1.0 if loss.pixel_decay_end == 0 else max(0.0, 1.0 - step / (steps * loss.pixel_decay_end))
    turn = (step + 1) % schedule.every == 0
    regression = 1.0 if turn or schedule.kind == "released" else 0.0
    adversarial = 1.0 if turn else 0.0
    weights = StepWeights(
        feature=regression * loss.feature,
        pixel=regression * loss.pixel * decay,
        distillation_generator=adversarial * loss.distillation_generator,
        real_generator=adversarial * loss.real_generator,
        distillation_discriminator=loss.distillation_discriminator,
        real_discriminator=loss.real_discriminator,
        mode_seeking=regression * loss.mode_seeking,
    )
    # It goes along with an update, and is no reason for one.
    return dataclasses.replace(weights, orthogonal=loss.orthogonal if weights.trains_generator else 0.0)


@dataclasses.dataclass
class Players:
    """The two networks and their optimizers, and how they are run."""

    generator: nn.Module
    """(z, y) → images."""
    discriminator: nn.Module
    """(x, y) → scores and features."""
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    precision: torch.dtype = torch.float32
    """Of convolutions and linears; statistics, spectral norms and losses are float32 always."""
    augment: float = 0.0
    """Probability of augmenting an image that the discriminator sees."""
    photographs: bool = False
    """Whether to augment as photographs."""
    real_distance: torch.Tensor | None = None
    """Mean absolute difference of two real images of one class, in [0, 2]; for the mode-seeking term."""

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return the context in which networks run."""
        device = next(self.generator.parameters()).device.type
        return torch.autocast(device, dtype=self.precision, enabled=self.precision != torch.float32)


def train_step(
    players: Players, batch: Batch, weights: StepWeights, values: Values | None = None
) -> dict[str, torch.Tensor]:
    """Update the discriminator on (teacher, real, student) images, then the student against the result.

    The student's images are computed once and serve both updates, those of a second batch too. No value is read
    back from the device.

    Args:
        players: the networks and their optimizers.
        batch: this process's share.
        weights: says which terms take part.
        values: what those are multiplied by; by default the weights themselves.

    Returns:
        Every active term before weighting, detached float32 scalars of this process's share of the batch.
    """
    with torch.set_grad_enabled(weights.trains_generator), players.autocast():
        student = players.generator(batch.z, batch.y)
    generated = [student.float()]
    if batch.fresh_z is not None and (weights.real_discriminator or weights.real_generator):
        with torch.set_grad_enabled(weights.real_generator > 0), players.autocast():
            fresh = players.generator(batch.fresh_z, batch.fresh_y)
        generated.append(fresh.float())
    values = weights.values() if values is None else values
    terms = {}
    if weights.trains_discriminator:
        terms |= _update_discriminator(players, batch, [part.detach() for part in generated], weights, values)
    if weights.trains_generator:
        terms |= _update_generator(players, batch, generated, weights, values)
    return {name: term.detach() for name, term in terms.items()}


def _update_discriminator(
    players: Players, batch: Batch, drawn: Sequence[torch.Tensor], weights: StepWeights, values: Values
) -> dict[str, torch.Tensor]:
    """Minimise equation 7; one discriminator call for all images.

    Both terms judge the same images of the student, unless it has `drawn` a second batch for the real ones.
    """
    compared: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}  # genuine, generated, classes
    if weights.distillation_discriminator:
        assert batch.teacher is not None, "L_KD_D needs the teacher's images"
        compared["d_distillation"] = batch.teacher, drawn[0], batch.y
    if weights.real_discriminator:
        assert batch.real is not None, "L_GAN_D needs real images"
        classes = batch.y if len(drawn) == 1 else _classes_of_fresh(batch)
        compared["d_real"] = batch.real, drawn[-1], classes
    judged: dict[str | int, tuple[torch.Tensor, torch.Tensor]] = {
        name: (_augmented(players, batch, genuine, 0), y) for name, (genuine, _, y) in compared.items()
    }
    judged |= {id(images): (_augmented(players, batch, images, 1), y) for _, images, y in compared.values()}
    images, classes = map(torch.cat, zip(*judged.values(), strict=True))
    with players.autocast():
        scores, _ = players.discriminator(images, classes)
    of = dict(zip(judged, scores.chunk(len(judged)), strict=True))
    terms = {
        name: losses.discriminator_hinge_loss(of[name], of[id(images)])
        for name, (_, images, _) in compared.items()
    }
    weight = {"d_distillation": values["distillation_discriminator"], "d_real": values["real_discriminator"]}
    total = sum((weight[name] * term for name, term in terms.items()), start=drawn[0].new_zeros(()))
    players.discriminator_optimizer.zero_grad(set_to_none=True)
    total.backward()
    players.discriminator_optimizer.step()
    return terms


def _update_generator(
    players: Players, batch: Batch, drawn: list[torch.Tensor], weights: StepWeights, values: Values
) -> dict[str, torch.Tensor]:
    """Minimise equation 6; L_GAN_S is of a second batch where one was `drawn`, else it is L_KD_S.

    The gradient is taken with respect to the images first and carried through the student afterwards: the
    discriminator's parameters take no part in it.
    """
    drawn = drawn if weights.real_generator else drawn[:1]
    images, *second = leaves = [part.detach().requires_grad_() for part in drawn]
    terms, total = {}, torch.zeros((), device=images.device)
    if weights.feature or weights.adversarial:
        teacher_features, scores, features = _judge(players, batch, leaves, bool(weights.feature))
        if weights.feature:
            terms["g_feature"] = losses.feature_matching_loss(teacher_features, features)
            total = total + values["feature"] * terms["g_feature"]
        if second:
            terms["g_real"] = losses.generator_hinge_loss(scores[1])
            total = total + values["real_generator"] * terms["g_real"]
        if weights.distillation_generator or (weights.real_generator and not second):
            terms["g_adversarial"] = losses.generator_hinge_loss(scores[0])
            shared = 0.0 if second else values["real_generator"]
            total = total + (values["distillation_generator"] + shared) * terms["g_adversarial"]
    if weights.pixel:
        assert batch.teacher is not None, "L_KD-pix needs the teacher's images"
        terms["g_pixel"] = losses.pixel_loss(batch.teacher, images)
        total = total + values["pixel"] * terms["g_pixel"]
    if weights.mode_seeking:
        assert players.real_distance is not None
        terms["g_mode_seeking"] = losses.mode_seeking_loss(images, players.real_distance, batch.diversity_target)
        total = total + values["mode_seeking"] * terms["g_mode_seeking"]
    gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    players.generator_optimizer.zero_grad(set_to_none=True)
    used = [(part, gradient) for part, gradient in zip(drawn, gradients, strict=True) if gradient is not None]
    torch.autograd.backward([part for part, _ in used], [gradient for _, gradient in used])
    if weights.orthogonal:
        terms["g_orthogonal"] = _regularise(unwrap(players.generator), values["orthogonal"])
    players.generator_optimizer.step()
    return terms


def _regularise(generator: nn.Module, weight: float | torch.Tensor) -> torch.Tensor:
    """Add the gradient of `losses.orthogonal_loss` to what there is, and return its value.

    Apart from the others' backward pass, because DistributedDataParallel has averaged that one already.
    """
    kernels = losses.regularised_kernels(generator)
    term = losses.orthogonal_loss(kernels)
    for kernel, gradient in zip(kernels, torch.autograd.grad(weight * term, kernels), strict=True):
        assert kernel.grad is not None
        kernel.grad.add_(gradient)
    return term


def _judge(
    players: Players, batch: Batch, generated: list[torch.Tensor], with_features: bool
) -> tuple[list[torch.Tensor], Sequence[torch.Tensor], list[torch.Tensor]]:
    """Return the teacher's features, scores of each batch of the student's images, and features of the first.

    All come from one discriminator state: in eval mode the spectral vectors stand still, so that the two calls see
    the same weights. Frozen, because a compiled network computes the gradients of its weights even where only the
    images' are asked for.
    """
    discriminator = unwrap(players.discriminator)
    discriminator.eval().requires_grad_(False)
    images, y = [_augmented(players, batch, part, 1) for part in generated], batch.y
    if len(images) > 1:
        y = torch.cat([y, _classes_of_fresh(batch)])
    try:
        with players.autocast():
            teacher_features = []
            if with_features:
                assert batch.teacher is not None, "L_KD_feat needs the teacher's images"
                with torch.no_grad():
                    _, teacher_features = discriminator(_augmented(players, batch, batch.teacher, 1), batch.y)
            scores, features = discriminator(torch.cat(images) if len(images) > 1 else images[0], y)
    finally:
        discriminator.train().requires_grad_(True)
    return teacher_features, scores.chunk(len(images)), [part.chunk(len(images))[0] for part in features]


def _classes_of_fresh(batch: Batch) -> torch.Tensor:
    assert batch.fresh_y is not None
    return batch.fresh_y


def _augmented(players: Players, batch: Batch, images: torch.Tensor, half: int) -> torch.Tensor:
    if batch.augment is None:
        return images
    return augmented(images, batch.augment.chunk(2)[half], players.augment, photographs=players.photographs)


def optimizers(
    generator: nn.Module, discriminator: nn.Module, config: OptimizerConfig
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return Adam for either network."""
    # Floats, because fused Adam refuses an integer beta.
    betas = (float(config.beta1), float(config.beta2))
    return (
        torch.optim.Adam(generator.parameters(), lr=config.generator_lr, betas=betas, fused=True),
        torch.optim.Adam(discriminator.parameters(), lr=config.discriminator_lr, betas=betas, fused=True),
    )


def unwrap(module: nn.Module) -> nn.Module:
    """Return the module inside DistributedDataParallel, or `module` itself."""
    return module.module if isinstance(module, DistributedDataParallel) else module


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters: in place where it lies on the device, for recorded steps."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
