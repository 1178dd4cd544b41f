import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest, norm, truncnorm, uniform

from train.errors import UserError
from train.noise import (
    BOUNDS,
    SAMPLERS,
    consecutive_seeds,
    draw_latents,
    random_words,
    sampler_of,
    truncated_normal,
)

# Bits that Kotlin and Swift must produce too: seed, truncation, first five values.
VECTORS = [
    (0, 1.0, "3f8db4c2 be288387 bfd51695 3fd1deb3 bf93b501"),
    (1, 0.5, "3da3c56e 3ea074b9"),
    (42, 0.4, "3e7bb81b bebf193c"),
    (9223372036854775808, 1.0, "bf0c6eef 3f30da82"),
    (18446744073709551615, 0.8, "3f6c9b8f 3f7f6933"),
]


@pytest.mark.parametrize(("seed", "truncation", "bits"), VECTORS)
def test_latents_have_the_same_bits_everywhere(seed, truncation, bits):
    z = truncated_normal(np.array([seed], dtype=np.uint64), 128, truncation)
    expected = bits.split()
    assert [f"{word:08x}" for word in z[0].view(np.uint32)[: len(expected)]] == expected


def test_words_are_splitmix64():
    """The first outputs for seed 1234567 of the reference implementation (Vigna)."""
    words = random_words(np.array([1234567], dtype=np.uint64), 3)[0]
    assert [int(w) for w in words] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_the_distribution_is_the_truncated_normal():
    z = truncated_normal(consecutive_seeds(7, 500), 128, 1.0)
    assert np.abs(z).max() < 2
    assert kstest(z.ravel().astype(np.float64), truncnorm(-2, 2).cdf).pvalue > 0.01
    assert np.abs(np.corrcoef(z)[0, 1:]).max() < 0.5


def test_truncation_scales():
    seeds = consecutive_seeds(3, 4)
    assert np.array_equal(truncated_normal(seeds, 8, 0.5), truncated_normal(seeds, 8, 1.0) * np.float32(0.5))


def test_seeds_wrap_around():
    assert [int(s) for s in consecutive_seeds(2**64 - 1, 3)] == [2**64 - 1, 0, 1]


@pytest.mark.parametrize(
    ("law", "cdf"),
    [("normal", norm.cdf), ("uniform", uniform(-1, 2).cdf), ("truncated-normal", truncnorm(-2, 2).cdf)],
)
def test_each_law_has_its_distribution(law, cdf):
    sampler = SAMPLERS[law]
    z = draw_latents(sampler, consecutive_seeds(7, 500), 128, 1.0)
    assert kstest(z.ravel().astype(np.float64), cdf).pvalue > 0.01
    assert np.abs(z).max() <= BOUNDS[sampler]
    assert np.array_equal(draw_latents(sampler, consecutive_seeds(7, 500), 128, 0.5), z * np.float32(0.5))


def test_the_normal_is_the_inverse_cdf_far_into_its_tails():
    seeds = consecutive_seeds(0, 4000)
    exact = ndtri(((random_words(seeds, 64) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
    z = draw_latents(SAMPLERS["normal"], seeds, 64, 1.0)
    assert np.abs(exact).max() > 4
    assert np.abs(z - exact).max() < 3e-7  # the rounding to float32


def test_the_sphere_has_one_radius_and_every_direction():
    z = draw_latents(SAMPLERS["sphere"], consecutive_seeds(3, 4000), 3, 0.5)
    assert np.abs(np.linalg.norm(z, axis=1) - 0.5).max() < 1e-6
    assert np.abs(z.mean(axis=0)).max() < 0.02
    # Archimedes: on a sphere in space every coordinate is uniform.
    assert kstest(z[:, 1].astype(np.float64), uniform(-0.5, 1).cdf).pvalue > 0.01


def test_given_latents_and_unknown_laws_are_refused():
    with pytest.raises(UserError, match="no sampler draws such ones"):
        draw_latents("given", consecutive_seeds(0, 1), 4, 1.0)
    with pytest.raises(UserError, match="did you mean uniform"):
        sampler_of("unifrom")
    with pytest.raises(UserError, match="no sampler 'mersenne' in this version"):
        draw_latents("mersenne", consecutive_seeds(0, 1), 4, 1.0)
