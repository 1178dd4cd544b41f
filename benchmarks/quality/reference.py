"""Real images to compare with, and a store of features on disk."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.features import FeatureNetwork, Features, extract
from train.errors import UserError
from train.files import read_tensors, save_tensors
from train.frechet import GaussianStatistics, gaussian_statistics

_FORMAT = "tinygan-edge-features-1"


def images_hash(images: np.ndarray) -> str:
    """Return the SHA-256 of images, uint8 [N, H, W, 3], and of their shape; memory maps are read in parts."""
    digest = hashlib.sha256(repr(images.shape).encode())
    for start in range(0, len(images), 256):
        digest.update(np.ascontiguousarray(images[start : start + 256]).data)
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What a network makes of a set of images."""

    features: np.ndarray
    """float32 [N, D]."""
    probabilities: np.ndarray | None
    statistics: GaussianStatistics


class FeatureStore:
    """Features and their statistics, kept on disk by the SHA-256 of what they were made from.

    The key follows the images, the network's file and the protocol. Reals, teacher and models are all kept, so
    that a stopped run goes on where it was: 4 D bytes per image, 8 KB with the standard Inception.
    """

    def __init__(self, folder: Path, batch_size: int) -> None:
        self.folder, self.batch_size = folder, batch_size
        self.notes: list[str] = []
        """A line for each damaged file that was made again."""

    def measure(self, network: FeatureNetwork, images: np.ndarray, what: str) -> Measured:
        """Return the features of images, uint8 [N, H, W, 3], from disk if they are there; `what` is for the bar.

        Raises:
            UserError: as `extract` and `gaussian_statistics`.
        """
        inputs = {"images": images_hash(images), "network": network.sha256, "protocol": network.name}
        key = hashlib.sha256(json.dumps([_FORMAT, inputs], sort_keys=True).encode()).hexdigest()
        path = self.folder / f"features-{key[:32]}.safetensors"
        if path.is_file():
            try:
                return _read(path, len(images), network.dimensions)
            except UserError as error:
                self.notes.append(f"The features of {what} are computed again: {error}.")
                print(self.notes[-1], flush=True)
        found = extract(network, images, self.batch_size, what)
        statistics = gaussian_statistics(found.features)
        _write(path, found, statistics, inputs)
        return Measured(found.features, found.probabilities, statistics)


def _write(path: Path, found: Features, statistics: GaussianStatistics, inputs: dict[str, str]) -> None:
    arrays = {"features": found.features, "mean": statistics.mean}
    if found.probabilities is not None:
        arrays["probabilities"] = found.probabilities
    if statistics.covariance is not None:
        arrays["covariance"] = statistics.covariance
    metadata = {"format": _FORMAT, "inputs": json.dumps(inputs), "content": _content_hash(arrays)}
    save_tensors(path, {name: torch.from_numpy(array) for name, array in arrays.items()}, metadata)


def _read(path: Path, count: int, dimensions: int) -> Measured:
    tensors, metadata = read_tensors(path, "features", "")
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    damaged = UserError(f"{path} is damaged")
    if metadata.get("format") != _FORMAT or metadata.get("content") != _content_hash(arrays):
        raise damaged
    features, mean, covariance = arrays["features"], arrays["mean"], arrays.get("covariance")
    if features.shape != (count, dimensions):
        raise damaged
    centred = features.astype(np.float64) - mean if covariance is None else None
    statistics = GaussianStatistics(count, mean, covariance, centred)
    return Measured(features, arrays.get("probabilities"), statistics)


def _content_hash(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
