package io.github.tinygan.edge.core

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
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
        val model = manifest.model
        val loop = EndlessMorph(model, seed = 1u, truncation = manifest.truncation, steps = 15).loop(stations = 5)
        for ((row, image) in index["images"].items.withIndex()) {
            val drawn = inputsOf(image, loop) ?: continue
            val first = row * (model.zDim + model.weightCount)
            val second = first + model.zDim
            assertSameBits("latent of $image", inputs.copyOfRange(first, second), drawn.latent)
            assertSameBits(
                "class of $image",
                inputs.copyOfRange(second, second + model.weightCount),
                drawn.classWeights
            )
        }
    }

    /** What Kotlin draws for an image of the list; null for a morph, which MorphTest compares. */
    private fun inputsOf(image: JsonElement, loop: List<Inputs>): Inputs? {
        val members = image.jsonObject
        members["loop"]?.let { return loop[it.int] }
        val seed = (members["seed"] ?: return null).text.toULong()
        val blend = members["blend"] ?: return Inputs(
            TruncatedNormal.latent(seed, manifest.model.zDim, image["truncation"].double),
            manifest.model.classWeights(image["class"].int)
        )
        val shares = blend.jsonObject.map { (index, weight) -> ClassShare(index.toInt(), weight.double.toFloat()) }
        return Inputs(
            TruncatedNormal.latent(seed, manifest.model.zDim, manifest.truncation),
            manifest.model.classWeights(shares)
        )
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
