"""The gate: an artifact's images against those of the student it was made from."""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from deploy.floors import GOLDEN_FLOOR
from deploy.golden import Golden
from deploy.source import Reference
from train.errors import UserError
from train.images import from_bytes, to_bytes

Runner = Callable[..., np.ndarray]
"""Inputs, each float32 [1, length] → image float32 [1, 3, H, W] in [-1, 1]."""


@dataclasses.dataclass(frozen=True)
class Parity:
    """How near an artifact's golden images are to its student's."""

    reference: Reference
    runner: str
    """What computed the artifact's images."""
    images: int
    psnr: float | None
    """dB of images in [-1, 1]; None: identical."""
    max_difference: float
    """In [0, 2]."""
    floor: float
    """dB that were asked for."""


class ParityError(UserError):
    """An artifact does not compute what its student computes."""


def measure(
    run: Runner, golden: Golden, reference: Reference, runner: str, floor: float, *, as_bytes: bool = False
) -> Parity:
    """Draw the golden images with `run` and compare them.

    Args:
        run: draws one image.
        golden: inputs and the students' images.
        reference: the student to compare with.
        runner: its name.
        floor: smallest PSNR, dB; infinity: the images must be identical; 0: only measure.
        as_bytes: the images were bytes, so compare them with the student's bytes.

    Raises:
        ParityError: as `compare` does.
    """
    images = np.concatenate([run(*golden.inputs(k)) for k in range(len(golden.z))])
    return compare(images, golden, reference, runner, floor, as_bytes=as_bytes)


def compare(
    images: np.ndarray, golden: Golden, reference: Reference, runner: str, floor: float, *, as_bytes: bool = False
) -> Parity:
    """Compare images of the golden latents, float32 [N, 3, H, W] in [-1, 1]; the rest is as for `measure`.

    Raises:
        ParityError: the images have another shape, are not finite, or are below the floor, or the first one is
            below the floor of the apps.
    """
    expected = golden.images[reference]
    if as_bytes:
        expected = from_bytes(torch.from_numpy(to_bytes(torch.from_numpy(expected)))).numpy()
    if images.shape != expected.shape:
        raise ParityError(f"it makes images of shape {list(images.shape)}, not {list(expected.shape)}")
    if not np.isfinite(images).all():
        raise ParityError(f"{int((~np.isfinite(images)).sum())} values of its golden images are not finite")
    difference = images.astype(np.float64) - expected
    psnr = _psnr(difference, 2)
    parity = Parity(
        reference,
        runner,
        len(images),
        None if psnr is None else round(psnr, 2),
        float(np.abs(difference).max()),
        floor,
    )
    if psnr is not None and psnr < floor:
        raise ParityError(
            f"its golden images are {psnr:.1f} dB from the {reference} student's, below the floor of {floor:g} dB "
            f"({runner})"
        )
    if floor:
        _check_first(images, golden.first_image(reference), reference, runner)
    return parity


def _check_first(images: np.ndarray, stored: bytes, reference: Reference, runner: str) -> None:
    """Hold the first image, as bytes, to the floor at which the apps refuse a model."""
    drawn = to_bytes(torch.from_numpy(np.ascontiguousarray(images[:1]))).reshape(-1).astype(np.float64)
    psnr = _psnr(drawn - np.frombuffer(stored, np.uint8), 255)
    if psnr is not None and psnr < GOLDEN_FLOOR:
        raise ParityError(
            f"its first golden image is {psnr:.1f} dB from the {reference} student's; the apps refuse it below "
            f"{GOLDEN_FLOOR:g} dB ({runner})"
        )


def _psnr(difference: np.ndarray, span: float) -> float | None:
    """Return the dB of a difference, float64, between values `span` apart at most; None where it is 0."""
    error = float((difference**2).mean())
    return float(10 * np.log10(span**2 / error)) if error else None
