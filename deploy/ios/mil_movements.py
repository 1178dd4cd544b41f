"""The operations of a Core ML ML Program that move values and do not change them.

Each is a function of MIL's inputs, with MIL's names; a value that it does not know is a UserError.
"""

import torch

from deploy.ios.mil_values import ints, refuse
from train.errors import UserError


def identity(x: torch.Tensor) -> torch.Tensor:
    """Return `x`."""
    return x


def reshape(x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """Return `x` in another shape; one size may be -1."""
    sizes = ints(shape)
    if 0 in sizes:
        raise refuse("shape", sizes, "a shape without 0")
    return x.reshape(sizes)


def transpose(x: torch.Tensor, perm: torch.Tensor) -> torch.Tensor:
    """Return `x` with its axes in the order `perm`."""
    return x.permute(ints(perm))


def expand_dims(x: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
    """Return `x` with axes of size 1 at the places `axes` of the result."""
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in ints(axes)):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    """Return `x` without `axes`, or without all axes of size 1."""
    if axes is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in ints(axes)):
        raise UserError(f"it removes the axes {ints(axes)} of {list(x.shape)}; convert the model again")
    return x.squeeze(tuple(ints(axes)))


def concat(values: list[torch.Tensor], axis: torch.Tensor, interleave: torch.Tensor | None = None) -> torch.Tensor:
    """Join `values` along `axis`."""
    if interleave is not None and bool(interleave):
        raise refuse("interleave", True, "False")
    if len({x.dtype for x in values}) > 1:
        raise UserError(f"it joins {[str(x.dtype) for x in values]}; convert the model again")
    return torch.cat(values, int(axis))


def split(
    x: torch.Tensor,
    axis: torch.Tensor,
    num_splits: torch.Tensor | None = None,
    split_sizes: torch.Tensor | None = None,
) -> list[torch.Tensor]:
    """Cut `x` along `axis` into parts of `split_sizes`, or into `num_splits` equal ones."""
    if split_sizes is not None:
        return list(x.split(ints(split_sizes), int(axis)))
    if num_splits is None or x.shape[int(axis)] % int(num_splits):
        raise UserError(f"it does not say how to split {list(x.shape)}; convert the model again")
    return list(x.split(x.shape[int(axis)] // int(num_splits), int(axis)))


def slice_by_index(
    x: torch.Tensor,
    begin: torch.Tensor,
    end: torch.Tensor,
    *,
    stride: torch.Tensor | None = None,
    begin_mask: torch.Tensor | None = None,
    end_mask: torch.Tensor | None = None,
    squeeze_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """`x[begin : end : stride]` for each axis; a mask leaves an end open, or takes the one index `begin`."""
    steps = [1] * x.dim() if stride is None else ints(stride)
    if min(steps) < 1:
        raise refuse("stride", steps, "a positive stride")
    nowhere = torch.zeros(x.dim(), dtype=torch.bool)
    masks = [nowhere if mask is None else mask for mask in (begin_mask, end_mask, squeeze_mask)]
    index: list[int | slice] = []
    for first, last, step, open_first, open_last, single in zip(
        ints(begin), ints(end), steps, *(mask.tolist() for mask in masks), strict=True
    ):
        index.append(first if single else slice(None if open_first else first, None if open_last else last, step))
    return x[tuple(index)]
