"""Latents that come out bit for bit the same in Python, Kotlin and Swift (`splitmix64-truncnorm-v1`).

A seed is expanded by SplitMix64; each 64-bit word becomes one value of the standard normal truncated to
[-2, 2] through a rational approximation of the inverse CDF. Only + - * / are used, so no maths library can
make two platforms differ. The values have the distribution of BigGAN's `truncated_noise_sample`.
"""

from collections.abc import Sequence

import numpy as np

SAMPLER = "splitmix64-truncnorm-v1"
TRUNCATION_BOUND = 2.0  # in standard deviations, before the truncation factor

_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_HALF_MASS = 0.4772498680518208  # P(0 < N(0, 1) < 2)
# Inverse CDF on the central mass: z = q P(q²)/Q(q²); highest power first, error at most 6.5e-11.
_NUMERATOR = (
    67.67033541471996,
    -509.38400687827396,
    862.4381248200701,
    -615.9060685408311,
    216.7231162913094,
    -37.26471486767734,
    2.5066282747120967,
)
_DENOMINATOR = (
    105.02830466537615,
    -409.12231025351383,
    528.6209209249652,
    -320.8940660159762,
    100.82185875890949,
    -15.913667861050502,
    1.0,
)


def random_words(seeds: np.ndarray, count: int) -> np.ndarray:
    """Return SplitMix64 output words: uint64 [len(seeds), count], one independent stream per seed (uint64)."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN_GAMMA
        x = seeds.astype(np.uint64)[:, None] + steps
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def truncated_normal(seeds: np.ndarray, z_dim: int, truncation: float) -> np.ndarray:
    """Return latents, float32 [len(seeds), z_dim]: truncation × N(0, 1) truncated to [-2, 2].

    Args:
        seeds: uint64 [N]; row i depends on seed i alone.
        z_dim: values per latent.
        truncation: the factor, in (0, 1].
    """
    uniform = ((random_words(seeds, z_dim) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    q = (uniform - 0.5) * (2.0 * _HALF_MASS)
    t = q * q
    z = q * _horner(_NUMERATOR, t) / _horner(_DENOMINATOR, t)
    return z.astype(np.float32) * np.float32(truncation)


def consecutive_seeds(first: int, count: int) -> np.ndarray:
    """Return the seeds first, first + 1, …, wrapping at 2^64, as uint64 [count]."""
    with np.errstate(over="ignore"):
        return np.uint64(first % 2**64) + np.arange(count, dtype=np.uint64)


def latents_in_turn(
    classes: Sequence[int], first_seed: int, count: int, z_dim: int, truncation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return z float32 [count, z_dim] of consecutive seeds, and y int64 [count], the classes in turn."""
    z = truncated_normal(consecutive_seeds(first_seed, count), z_dim, truncation)
    return z, np.array(classes, dtype=np.int64)[np.arange(count) % len(classes)]


def _horner(coefficients: tuple[float, ...], t: np.ndarray) -> np.ndarray:
    value = np.full_like(t, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * t + coefficient
    return value
