package io.github.tinygan.edge.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ImageGeneratorTest {
    private val manifest = Fixtures.manifest()
    private val model = manifest.model
    private val artifact = manifest.artifact("student_xnnpack_fp32.pte")

    @Test
    fun acceptsInputsOfTheRightLength() {
        model.checkInputs(FloatArray(16), FloatArray(398))
        Fixtures.oneClassManifest().model.checkInputs(FloatArray(16), FloatArray(0))
    }

    @Test
    fun refusesInputsOfAnotherLengthAndValuesThatAreNoNumbers() {
        val wrong = listOf(
            FloatArray(15) to FloatArray(398),
            FloatArray(16) to FloatArray(397),
            FloatArray(16) to FloatArray(0),
            FloatArray(16) { Float.NaN } to FloatArray(398),
            FloatArray(16) to FloatArray(398) { Float.POSITIVE_INFINITY }
        )
        for ((latent, weights) in wrong) {
            assertThrows(InvalidInputException::class.java) { model.checkInputs(latent, weights) }
        }
    }

    @Test
    fun refusesAnOutputOfAnotherSize() {
        for (error in listOf(
            assertThrows(ModelMismatchException::class.java) { model.decode(artifact, FloatArray(3071)) },
            assertThrows(ModelMismatchException::class.java) { model.decode(artifact, ByteArray(3073)) }
        )) {
            assertTrue(error.message, "3072" in error.message.orEmpty() && artifact.file in error.message.orEmpty())
        }
    }

    @Test
    fun refusesAnOutputThatIsNoNumber() {
        val values = FloatArray(3072).also { it[5] = Float.NaN }.also { it[6] = Float.NEGATIVE_INFINITY }
        val error = assertThrows(InvalidOutputException::class.java) { model.decode(artifact, values) }
        assertEquals(2, error.count)
    }

    @Test
    fun refusesAnImageOfAnotherSize() {
        assertThrows(IllegalArgumentException::class.java) { Image(2, 2, IntArray(3)) }
    }
}
