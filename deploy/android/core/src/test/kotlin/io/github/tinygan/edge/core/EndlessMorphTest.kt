package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class EndlessMorphTest {
    private val model = Fixtures.manifest().model
    private val morph = EndlessMorph(model, seed = 5u, truncation = 0.5, steps = 4)

    @Test
    fun standsAtAClassAndASeedAtEveryStation() {
        for (station in 0L..20L) {
            val inputs = morph.at(station * 4)
            assertArrayEquals(TruncatedNormal.latent(5u + station.toULong(), 16, 0.5), inputs.latent, 0f)
            assertArrayEquals(model.classWeights(morph.classAt(station)), inputs.classWeights, 0f)
        }
    }

    @Test
    fun goesStraightBetweenStations() {
        val middle = morph.at(6)
        assertArrayEquals(Morph.between(morph.at(4).latent, morph.at(8).latent, 0.5f), middle.latent, 0f)
        assertEquals(1f, middle.classWeights.sum(), 0f)
    }

    @Test
    fun visitsEveryClassWithoutStandingStill() {
        val classes = (0L until 7L).map(morph::classAt)
        assertEquals("7 is prime, so every stride visits all", model.drawable.toSet(), classes.toSet())
        for (station in 0L..50L) assertNotEquals(morph.classAt(station), morph.classAt(station + 1))
    }

    @Test
    fun isTheSameForTheSameSeedAlone() {
        val other = EndlessMorph(model, 5u, 0.5, 4)
        assertArrayEquals(morph.at(37).latent, other.at(37).latent, 0f)
        val ways = (0uL..20uL).map { seed -> List(5) { EndlessMorph(model, seed, 0.5, 4).classAt(it.toLong()) } }
        assertTrue("${ways.toSet().size} ways", ways.toSet().size > 10)
    }

    @Test
    fun closesALoop() {
        val loop = morph.loop(stations = 3)
        assertEquals(12, loop.size)
        for (index in 0 until 9) assertArrayEquals(morph.at(index.toLong()).latent, loop[index].latent, 0f)
        val last = Morph.between(morph.at(8).latent, morph.at(0).latent, 0.75f)
        assertArrayEquals("the last leads to the first", last, loop[11].latent, 0f)
    }

    @Test
    fun drawsOneClassToo() {
        val one = Fixtures.oneClassManifest().model
        val inputs = EndlessMorph(one, 1u, 0.5, 2).at(3)
        assertEquals(0, inputs.classWeights.size)
        assertThrows(IllegalArgumentException::class.java) { EndlessMorph(one, 1u, 0.5, 0) }
    }
}
