"""Float32 that is float32: on GPUs PyTorch rounds what convolutions take to TF32's 10 bits unless told not to."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Compute float32 products and convolutions without TF32; a context or a decorator."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before  # pyright: ignore[reportAttributeAccessIssue]


def training_precision(precision: Literal["auto", "float32", "bfloat16"]) -> contextlib.AbstractContextManager:
    """Return the context for a run's steps: who asks for float32 gets no TF32; beside bfloat16 it is fine."""
    return without_tf32() if precision == "float32" else contextlib.nullcontext()
