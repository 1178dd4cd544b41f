"""Intermediate distillation: a narrower student also learns to make the full one's features.

As in GAN Compression (Li et al., CVPR 2020): 1×1 adapters map its features to the full student's, and are dropped
afterwards.
"""

import copy
import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from compress.elastic import ElasticGenerator, elastic
from train.batches import Batch
from train.generator import Generator
from train.loop import Training
from train.step import Players, StepWeights, train_step, unwrap


class _WithLoss(torch.autograd.Function):
    """Passes images on; on the way back the loss, which is no function of them, receives the gradient 1."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:  # noqa: ARG004 (autograd)
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ARG004
        return gradients[0], gradients[0].new_ones(())


class Intermediate(nn.Module):
    """A student with adapters: (z, y) → images, whose gradient brings that of the distance of features along.

    Args:
        student: what is trained.
        full: the full student, channels in the same order; not trained, and no part of the state.
        weight: of the squared distance to its features, relative to their mean square, the mean over the blocks.
    """

    def __init__(self, student: ElasticGenerator, full: Generator, weight: float) -> None:
        super().__init__()
        self.student, self.weight = student, weight
        self._full = (elastic(full).eval().requires_grad_(False),)
        outputs = zip(
            student.config.resolved_widths.stages[1:], full.config.resolved_widths.stages[1:], strict=True
        )
        self.adapters = nn.ModuleList(nn.Conv2d(narrow, wide, 1) for narrow, wide in outputs)
        for adapter in self.adapters:
            assert isinstance(adapter, nn.Conv2d) and adapter.bias is not None
            nn.init.dirac_(adapter.weight)  # first channels are the same ones: it begins with what is there
            nn.init.zeros_(adapter.bias)
        self.distance = torch.zeros(())
        """Of the last batch, without the weight."""

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        if not (self.training and torch.is_grad_enabled()):
            return self.student(z, y)
        images, features = self.student.with_features(z, self.student.class_embedding(y))
        full = self._full[0]
        with torch.no_grad():
            _, wanted = full.with_features(z, full.class_embedding(y))
        parts = zip(self.adapters, features, wanted, strict=True)
        distances = torch.stack([_relative(_adapted(adapter, h), f) for adapter, h, f in parts])
        self.distance = distances.mean().detach()
        result: Any = _WithLoss.apply(images, self.weight * distances.mean())
        return result


def _adapted(adapter: nn.Module, features: torch.Tensor) -> torch.Tensor:
    assert isinstance(adapter, nn.Conv2d)
    return F.conv2d(features, adapter.weight[:, : features.shape[1]], adapter.bias)


def _relative(features: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (features - wanted).square().mean() / wanted.square().mean().clamp(min=1e-12)


def with_intermediate(student: ElasticGenerator, full: Generator, weight: float) -> nn.Module:
    """Return what is to be trained: the student alone where the weight is 0."""
    device = student.input_linear.weight.device
    return Intermediate(student, copy.deepcopy(full).to(device), weight).to(device) if weight else student


def without_adapters(trained: nn.Module) -> ElasticGenerator:
    """Return the student in what `with_intermediate` gave."""
    student = trained.student if isinstance(trained, Intermediate) else trained
    assert isinstance(student, ElasticGenerator)
    return student


def logged(training: Training) -> Training:
    """Return the training with the distance of features among its terms, where there is one."""
    generator = unwrap(training.players.generator)
    if not isinstance(generator, Intermediate):
        return training

    def step(players: Players, batch: Batch, weights: StepWeights) -> dict[str, torch.Tensor]:
        terms = train_step(players, batch, weights)
        return terms | ({"g_intermediate": generator.distance} if weights.trains_generator else {})

    return dataclasses.replace(training, do_step=step)
