package io.github.tinygan.edge.core

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class GoldenCheckTest {
    private val manifest = Fixtures.manifest()
    private val artifact = manifest.artifact("student_int8.tflite")
    private val size = manifest.model.imageSize

    @Test
    fun measuresAsPythonDoes() {
        val fixture = Fixtures.json("psnr.json")
        assertEquals(fixture["floor"].double, GoldenCheck.FLOOR, 0.0)
        for (case in fixture["cases"].items) {
            val expected = case["psnr"].jsonPrimitive.doubleOrNull ?: Double.POSITIVE_INFINITY
            val found = GoldenCheck.psnr(bytes(case["a"]), bytes(case["b"]))
            assertEquals(expected, found, fixture["tolerance"].double)
            assertEquals(case["accepted"].jsonPrimitive.boolean, found >= GoldenCheck.FLOOR)
        }
    }

    @Test
    fun drawsTheLatentAndTheClassOfTheManifest() {
        val generator = Painter { 100 }
        val decibels = GoldenCheck.check(generator, manifest, ByteArray(size * size * 3) { 100 })
        assertEquals(Double.POSITIVE_INFINITY, decibels, 0.0)
        val (latent, weights) = generator.asked.single()
        assertSameBits("latent", TruncatedNormal.latent(ULong.MAX_VALUE - 1u, 16, manifest.truncation), latent)
        assertArrayEquals(manifest.model.classWeights(manifest.golden.classIndex), weights, 0f)
    }

    @Test
    fun acceptsRoundingAndRefusesAnotherImage() {
        val expected = ByteArray(size * size * 3) { 100 }
        assertTrue(GoldenCheck.check(Painter { 108 }, manifest, expected) in 30.0..30.1)
        val error = assertThrows(GoldenMismatchException::class.java) {
            GoldenCheck.check(Painter { 109 }, manifest, expected)
        }
        assertTrue(error.message, artifact.file in error.message.orEmpty() && "29.0" in error.message.orEmpty())
    }

    @Test
    fun refusesAGoldenImageOfAnotherSize() {
        val error = assertThrows(CorruptFileException::class.java) {
            GoldenCheck.check(Painter { 0 }, manifest, ByteArray(5))
        }
        assertEquals("golden_int8.rgb", error.file)
    }

    @Test
    fun comparesNothingOfDifferentSizes() {
        assertThrows(IllegalArgumentException::class.java) { GoldenCheck.psnr(ByteArray(3), ByteArray(6)) }
    }

    private fun bytes(json: JsonElement) = json.ints.map { it.toByte() }.toByteArray()

    /** Fills every image with one grey. */
    private inner class Painter(private val grey: () -> Int) : ImageGenerator {
        val asked = mutableListOf<Pair<FloatArray, FloatArray>>()
        override val model = manifest.model
        override val artifact = this@GoldenCheckTest.artifact

        override fun generate(latent: FloatArray, classWeights: FloatArray): Image {
            model.checkInputs(latent, classWeights)
            asked += latent to classWeights
            return Image(size, size, IntArray(size * size) { (0xFF shl 24) or grey() * 0x010101 })
        }

        override fun close() = Unit
    }
}
