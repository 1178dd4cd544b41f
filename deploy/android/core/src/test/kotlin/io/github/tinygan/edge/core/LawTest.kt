package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class LawTest {
    private val fixture = Fixtures.json("noise.json")

    @Test
    fun drawsTheBitsOfPythonByEveryLaw() {
        val laws = fixture["laws"].items
        assertEquals(Law.entries.map { it.sampler }.toSet(), laws.map { it["sampler"].text }.toSet())
        for (law in laws) {
            val sampler = law["sampler"].text
            for (vector in law["vectors"].items) {
                val (seed, truncation) = vector["seed"].text to vector["truncation"].double
                val drawn = Law.entries.first { it.sampler == sampler }
                val latent = drawn.latent(seed.toULong(), vector["z_dim"].int, truncation)
                assertSameBits("$sampler, seed $seed, truncation $truncation", vector["bits"].floats, latent)
            }
        }
    }

    @Test
    fun theDefaultIsTheTruncatedNormal() {
        val expected = TruncatedNormal.latent(3u, 8, 0.5)
        assertArrayEquals(expected, Law.TRUNCATED_NORMAL.latent(3u, 8, 0.5), 0f)
    }

    @Test
    fun refusesATruncationOutsideItsRange() {
        for (law in Law.entries) {
            val error = assertThrows(InvalidInputException::class.java) { law.latent(1u, 4, 1.5) }
            assertTrue(error.message, "1.5" in error.message.orEmpty())
        }
    }
}
