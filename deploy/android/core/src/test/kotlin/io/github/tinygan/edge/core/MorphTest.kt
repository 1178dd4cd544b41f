package io.github.tinygan.edge.core

import kotlinx.serialization.json.JsonElement
import org.junit.Assert.assertThrows
import org.junit.Test

class MorphTest {
    private val fixture = Fixtures.json("morph.json")

    @Test
    fun walksBetweenLatentsAsPythonDoes() {
        val latents = fixture["latents"]
        val (start, end) = latents["seeds"].items.map {
            TruncatedNormal.latent(it.text.toULong(), latents["z_dim"].int, latents["truncation"].double)
        }
        compare(latents["steps"], start, end)
    }

    @Test
    fun walksBetweenClassesAsPythonDoes() {
        val classes = fixture["classes"]
        val oneHot = { index: Int -> FloatArray(classes["num_classes"].int) { if (it == index) 1f else 0f } }
        compare(classes["steps"], oneHot(classes["start"].int), oneHot(classes["end"].int))
    }

    @Test
    fun refusesVectorsOfDifferentLength() {
        assertThrows(IllegalArgumentException::class.java) { Morph.between(FloatArray(3), FloatArray(4), 0.5f) }
    }

    @Test
    fun refusesPositionsOffTheLine() {
        for (position in listOf(-0.1f, 1.1f, Float.NaN)) {
            assertThrows(IllegalArgumentException::class.java) { Morph.between(FloatArray(3), FloatArray(3), position) }
        }
    }

    private fun compare(steps: JsonElement, start: FloatArray, end: FloatArray) {
        for (step in steps.items) {
            val position = step["t"].double.toFloat()
            assertSameBits("at $position", step["bits"].floats, Morph.between(start, end, position))
        }
    }
}
