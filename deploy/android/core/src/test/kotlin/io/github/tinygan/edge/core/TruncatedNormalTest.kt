package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class TruncatedNormalTest {
    private val fixture = Fixtures.json("noise.json")

    @Test
    fun drawsTheBitsOfPython() {
        assertEquals(fixture["sampler"].text, TruncatedNormal.NAME)
        val vectors = fixture["vectors"].items
        assertTrue(vectors.size > 8)
        for (vector in vectors) {
            val (seed, truncation) = vector["seed"].text to vector["truncation"].double
            val latent = TruncatedNormal.latent(seed.toULong(), vector["z_dim"].int, truncation)
            assertSameBits("seed $seed, truncation $truncation", vector["bits"].floats, latent)
        }
    }

    @Test
    fun countsSeedsAsPythonDoes() {
        for (run in fixture["consecutive"].items) {
            val expected = run["seeds"].items.map { it.text.toULong() }
            assertEquals(expected, TruncatedNormal.consecutiveSeeds(run["first"].text.toULong(), expected.size))
        }
    }

    @Test
    fun longLatentsBeginLikeShortOnes() {
        val long = TruncatedNormal.latent(5u, 128, 1.0)
        assertArrayEquals(long.copyOf(7), TruncatedNormal.latent(5u, 7, 1.0), 0f)
    }

    @Test
    fun staysWithinTheBound() {
        val values = TruncatedNormal.latent(1u, 10_000, 0.5)
        assertTrue(values.all { it in -TruncatedNormal.BOUND / 2..TruncatedNormal.BOUND / 2 })
    }

    @Test
    fun refusesATruncationOutsideItsRange() {
        for (truncation in listOf(0.0, -0.5, 1.0000001, Double.NaN, Double.POSITIVE_INFINITY)) {
            val error = assertThrows(InvalidInputException::class.java) { TruncatedNormal.latent(1u, 4, truncation) }
            assertTrue(error.message, "$truncation" in error.message.orEmpty())
        }
    }
}
