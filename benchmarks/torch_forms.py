"""The float student in torch, as the phone runtimes are given it: float32 arrays of one image in and out."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.deploy_form import deploy_form
from train.errors import UserError
from train.generator import ConditionalBatchNorm2d, Generator, ResidualBlock, upsample
from train.snapshot import load_snapshot
from train.teacher import open_teacher


class _AuthorsBlock(ResidualBlock):
    """A block whose shortcut's convolution comes after its upsample."""

    def side(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(upsample(x))


def use_authors_order(generator: Generator) -> Generator:
    """Give a student, in place, the authors' order of operations: 428.8 instead of 315.6 MMAC at 128 px.

    Its images and what it learns differ by rounding only.
    """
    for module in generator.modules():
        if isinstance(module, ResidualBlock):
            module.__class__ = _AuthorsBlock  # the same parameters in another order
    return generator


class AuthorsOrder(nn.Module):
    """The student, operation by operation in the authors' order, with class weights as input.

    Norms unfolded, the shortcut after its upsample, one Linear for each conditional norm.

    Args:
        generator: is copied.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = use_authors_order(copy.deepcopy(generator))
        for name, module in generator.named_modules():
            if isinstance(module, ConditionalBatchNorm2d):
                self.generator.set_submodule(name, _ConditionalNorm(module))
        self.generator.set_submodule("output_norm", _plain_norm(generator.output_norm))

    def forward(self, z: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and class weights float32 [N, classes] → images [N, 3, H, W] in [-1, 1]."""
        return self.generator.synthesize(z, class_weights @ self.generator.class_embedding.weight)


class _ConditionalNorm(nn.Module):
    """A conditional norm whose operations XNNPACK takes: slices in place of a chunk, a norm with a gain."""

    def __init__(self, module: ConditionalBatchNorm2d) -> None:
        super().__init__()
        self.norm, self.gain_bias = _plain_norm(module.norm), copy.deepcopy(module.gain_bias)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        rows, channels = self.gain_bias(embedding), x.shape[1]
        return rows[:, :channels, None, None] * self.norm(x) + rows[:, channels:, None, None]


def _plain_norm(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    plain = nn.BatchNorm2d(norm.num_features, norm.eps)
    plain.load_state_dict({**plain.state_dict(), **norm.state_dict()})
    return plain.eval()


def load_form(kind: str, path: Path, threads: int) -> Callable[..., np.ndarray]:
    """Load a student's snapshot for inference.

    Args:
        kind: eager: the deploy form; compiled: the same by torch.compile; eager-authors: the authors' order.
        path: of the snapshot.
        threads: that torch may use, in this whole process.

    Returns:
        Inputs, each float32 [1, length] → image float32 [1, 3, H, W].

    Raises:
        UserError: the snapshot cannot be read, or torch.compile has no C++ compiler.
    """
    torch.set_num_threads(threads)
    student, _ = load_snapshot(path)
    form = AuthorsOrder(student) if kind == "eager-authors" else deploy_form(student)
    form = form.eval().requires_grad_(False)
    call: Callable[..., torch.Tensor] = form
    failure: type[Exception] | tuple[()] = ()
    if kind == "compiled":
        from torch._dynamo.exc import BackendCompilerFailed  # takes seconds to import

        call, failure = torch.compile(form), BackendCompilerFailed

    def run(*inputs: np.ndarray) -> np.ndarray:
        try:
            with torch.inference_mode():
                return call(*map(torch.from_numpy, inputs)).numpy()
        except failure as error:
            reason = str(getattr(error, "inner_exception", error)).strip().splitlines()[0]
            raise UserError(f"torch.compile failed here ({reason}); it needs a C++ compiler") from None

    return run


def load_teacher(spec: str, threads: int) -> Callable[..., np.ndarray]:
    """Load a teacher as training does; its truncation, which costs no time, is its own.

    Returns:
        z and class weights, each float32 [1, length] → image float32 [1, 3, H, W].

    Raises:
        UserError: there is no such teacher.
    """
    torch.set_num_threads(threads)
    teacher = open_teacher(spec)

    def run(z: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return teacher(torch.from_numpy(z), torch.from_numpy(class_weights).argmax(dim=1)).numpy()

    return run
