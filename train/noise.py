"""Latents that come out bit for bit the same in Python, Kotlin, Swift and JavaScript, by four laws.

A seed is expanded by SplitMix64; each 64-bit word becomes one value through a rational approximation of the law's
inverse CDF. Only + - * / and the square root are used, which IEEE 754 fixes to the last bit, so no maths library
can make two platforms differ. By default the law is the standard normal truncated to [-2, 2], that of BigGAN's
`truncated_noise_sample`. Latents of any law are multiplied by one factor, the truncation.
"""

from collections.abc import Sequence

import numpy as np

from train.errors import UserError, did_you_mean

SAMPLER = "splitmix64-truncnorm-v1"
SAMPLERS = {
    "truncated-normal": SAMPLER,
    "normal": "splitmix64-normal-v1",
    "uniform": "splitmix64-uniform-v1",
    "sphere": "splitmix64-sphere-v1",
}
"""Law of the latents → the name of its rule from seeds to latents, by which files know it: N(0, 1) cut at ±2,
N(0, 1), uniform in [-1, 1], uniform on the sphere of radius 1."""
GIVEN = "given"
"""In place of a sampler: the latents came with their images, and nothing draws new ones."""
BOUNDS = {SAMPLER: 2.0, "splitmix64-normal-v1": 8.21, "splitmix64-uniform-v1": 1.0, "splitmix64-sphere-v1": 1.0}
"""Sampler → what no value exceeds, before the truncation factor; a word has 52 bits, hence the normal's."""

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

# The same for the normal's tails: -z = P(r)/Q(r) with r = sqrt(-ln p); error at most 1.1e-10.
_TAIL_NUMERATOR = (
    1.237616097602807,
    8.039264098917174,
    5.927076918523367,
    -7.576556618723798,
    -3.0337866464020307,
)
_TAIL_DENOMINATOR = (1.118936919080244e-05, 0.8744612156685913, 5.711306126470875, 6.025341561814364, 1.0)
_LN2 = 0.6931471805599453


def sampler_of(law: str) -> str:
    """Return the sampler of a law, or `GIVEN` of "given".

    Raises:
        UserError: there is no such law.
    """
    if law == GIVEN:
        return GIVEN
    if law not in SAMPLERS:
        raise UserError(f"no law of latents {law!r}{did_you_mean(law, SAMPLERS)}; give {', '.join(SAMPLERS)}")
    return SAMPLERS[law]


def law_of(sampler: str) -> str:
    """Return the law of a sampler, or "given".

    Raises:
        UserError: this version knows no such sampler.
    """
    laws = {name: law for law, name in SAMPLERS.items()} | {GIVEN: GIVEN}
    if sampler not in laws:
        raise UserError(f"no sampler {sampler!r} in this version; it has {', '.join(SAMPLERS.values())}")
    return laws[sampler]


def check_drawable(sampler: str, whose: str) -> None:
    """Raise a UserError where nothing can draw the latents of `whose`."""
    if law_of(sampler) == GIVEN:
        raise UserError(
            f"{whose} learned from given latents, and no sampler draws such ones; if they follow a law, store the "
            f"pairs again with --law {', '.join(SAMPLERS)}"
        )


def random_words(seeds: np.ndarray, count: int) -> np.ndarray:
    """Return SplitMix64 output words: uint64 [len(seeds), count], one independent stream per seed (uint64)."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN_GAMMA
        x = seeds.astype(np.uint64)[:, None] + steps
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def draw_latents(sampler: str, seeds: np.ndarray, z_dim: int, truncation: float) -> np.ndarray:
    """Return latents, float32 [len(seeds), z_dim]: truncation × what the sampler draws.

    Args:
        sampler: one of `SAMPLERS`.
        seeds: uint64 [N]; row i depends on seed i alone.
        z_dim: values per latent.
        truncation: the factor, in (0, 1].

    Raises:
        UserError: nothing draws them.
    """
    check_drawable(sampler, "the model")
    law = law_of(sampler)
    if law == "truncated-normal":
        return truncated_normal(seeds, z_dim, truncation)
    values = _uniform(seeds, z_dim)
    values = values * 2.0 - 1.0 if law == "uniform" else _standard_normal(values)
    if law == "sphere":
        squares = np.zeros(len(seeds))
        for column in values.T:  # in this order: a sum depends on it
            squares = squares + column * column
        values = values / np.sqrt(squares)[:, None]
    return values.astype(np.float32) * np.float32(truncation)


def truncated_normal(seeds: np.ndarray, z_dim: int, truncation: float) -> np.ndarray:
    """Return latents, float32 [len(seeds), z_dim]: truncation × N(0, 1) truncated to [-2, 2].

    Args:
        seeds: uint64 [N]; row i depends on seed i alone.
        z_dim: values per latent.
        truncation: the factor, in (0, 1].
    """
    z = _central((_uniform(seeds, z_dim) - 0.5) * (2.0 * _HALF_MASS))
    return z.astype(np.float32) * np.float32(truncation)


def consecutive_seeds(first: int, count: int) -> np.ndarray:
    """Return the seeds first, first + 1, …, wrapping at 2^64, as uint64 [count]."""
    with np.errstate(over="ignore"):
        return np.uint64(first % 2**64) + np.arange(count, dtype=np.uint64)


def latents_in_turn(
    classes: Sequence[int], first_seed: int, count: int, z_dim: int, truncation: float, *, sampler: str = SAMPLER
) -> tuple[np.ndarray, np.ndarray]:
    """Return z float32 [count, z_dim] of consecutive seeds, and y int64 [count], the classes in turn."""
    z = draw_latents(sampler, consecutive_seeds(first_seed, count), z_dim, truncation)
    return z, np.array(classes, dtype=np.int64)[np.arange(count) % len(classes)]


def _uniform(seeds: np.ndarray, count: int) -> np.ndarray:
    """Return float64 [len(seeds), count] in (0, 1), the odd multiples of 2^-53."""
    return ((random_words(seeds, count) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _central(q: np.ndarray) -> np.ndarray:
    """Return the standard normal's value of the mass 0.5 + q, for |q| below P(0 < N(0, 1) < 2)."""
    t = q * q
    return q * _horner(_NUMERATOR, t) / _horner(_DENOMINATOR, t)


def _standard_normal(uniform: np.ndarray) -> np.ndarray:
    q = uniform - 0.5
    r = np.sqrt(_minus_log(np.minimum(uniform, 1.0 - uniform)))
    tail = _horner(_TAIL_NUMERATOR, r) / _horner(_TAIL_DENOMINATOR, r)
    return np.where(np.abs(q) < _HALF_MASS, _central(q), np.copysign(tail, q))


def _minus_log(p: np.ndarray) -> np.ndarray:
    """Return -ln p for p in (0, 0.5], by the series of the area tangent of a mantissa in [0.75, 1.5)."""
    mantissa, exponent = np.frexp(p)
    low = mantissa < 0.75
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    halvings = np.where(low, 1.0 - exponent, 0.0 - exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    t = s * s
    series = np.full_like(t, 1.0 / 21.0)
    for odd in range(19, 0, -2):
        series = series * t + 1.0 / odd
    return halvings * _LN2 - 2.0 * s * series


def _horner(coefficients: tuple[float, ...], t: np.ndarray) -> np.ndarray:
    value = np.full_like(t, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * t + coefficient
    return value
