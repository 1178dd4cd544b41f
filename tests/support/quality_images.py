"""Images for tests of the evaluator."""

import numpy as np


def random_images(seed: int, count: int, size: int = 32, brightness: int = 0) -> np.ndarray:
    """Return coloured squares under noise, uint8 [count, size, size, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (count, 4, 4, 3)) + brightness
    fine = random.integers(0, 30, (count, size, size, 3))
    return (coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2) + fine).clip(0, 255).astype(np.uint8)


def features(seed: int, count: int, dimensions: int) -> np.ndarray:
    """Rows whose covariance has a spectrum that falls like that of real features."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(count, dimensions)) / np.arange(1, dimensions + 1)
    rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(dimensions, dimensions)))[0]
    return (mixed * (1 + seed / 10) + seed / 50) @ rotation
