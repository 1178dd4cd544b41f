package io.github.tinygan.edge.core

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What the runtimes gave on the host must become the same pixels here as in Python. */
class GoldenChainTest {
    private val folder = Fixtures.recordings()
    private val index = Json.parseToJsonElement(File(folder, "recordings.json").readText())
    private val manifest = Manifest.parse(File(folder, Manifest.FILE).readText())

    @Test
    fun makesThePixelsOfPythonFromEveryOutput() {
        val recordings = index["artifacts"].items
        assertEquals(
            setOf("executorch", "tflite"),
            recordings.map {
                manifest.artifact(it["file"].text).runtime
            }.toSet()
        )
        for (recording in recordings) {
            val artifact = manifest.artifact(recording["file"].text)
            val size = artifact.output.size
            val outputs = readFloats(File(folder, recording["outputs"].text))
            val rgb = File(folder, recording["rgb"].text).readBytes()
            assertEquals("bytes of ${artifact.file}", outputs.size, rgb.size)
            assertTrue("images of ${artifact.file}", outputs.size >= 32 * size && outputs.size % size == 0)
            for (first in outputs.indices step size) {
                val image = manifest.model.decode(artifact, outputs.copyOfRange(first, first + size))
                val expected = rgb.copyOfRange(first, first + size)
                assertArrayEquals("image ${first / size} of ${artifact.file}", expected, image.toRgb())
                assertArrayEquals("ARGB", argb(expected), image.argb)
            }
        }
    }

    @Test
    fun drawsTheLatentsOfPython() {
        val inputs = readFloats(File(folder, index["inputs"].text))
        val (zDim, weights) = manifest.model.zDim to manifest.model.weightCount
        for ((row, image) in index["images"].items.withIndex()) {
            val first = row * (zDim + weights)
            val members = image.jsonObject
            val seed = (members["seed"] ?: continue).text.toULong()
            val latent = TruncatedNormal.latent(seed, zDim, image["truncation"].double)
            assertSameBits("latent of $seed", inputs.copyOfRange(first, first + zDim), latent)
            val oneHot = manifest.model.classWeights(image["class"].int)
            assertSameBits("class", inputs.copyOfRange(first + zDim, first + zDim + weights), oneHot)
        }
    }

    @Test
    fun passesTheGoldenCheckWithWhatTheRuntimeGave() {
        for (recording in index["artifacts"].items) {
            val artifact = manifest.artifact(recording["file"].text)
            val generator = RecordedImages(manifest.model, artifact, RecordedOutputs(folder, artifact))
            val expected = File(folder, manifest.golden.files.getValue(artifact.student)).readBytes()
            assertTrue(artifact.file, GoldenCheck.check(generator, manifest, expected) >= GoldenCheck.FLOOR)
        }
    }

    private fun argb(rgb: ByteArray) = IntArray(rgb.size / 3) { pixel ->
        (0 until 3).fold(0xFF) { color, channel -> (color shl 8) or (rgb[pixel * 3 + channel].toInt() and 0xFF) }
    }
}
