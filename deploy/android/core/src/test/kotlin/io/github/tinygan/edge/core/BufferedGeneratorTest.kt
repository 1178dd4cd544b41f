package io.github.tinygan.edge.core

import java.nio.ByteOrder
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What the adapters of all runtimes have in common; their own tests go through it too. */
class BufferedGeneratorTest {
    private val manifest = Fixtures.manifest()
    private val artifact = manifest.artifact("student_xnnpack_fp32.pte")
    private val adapter = RuntimeAdapter("Runtime", artifact.runtime, artifact.backend) { "riscv64" }

    private inner class Recorder : BufferedGenerator(manifest.model, artifact) {
        val seen = mutableListOf<FloatArray>()
        var freed = 0

        override fun draw(): Image {
            assertTrue(inputs.all { it.isDirect && it.order() == ByteOrder.nativeOrder() && it.position() == 0 })
            seen += inputs.map { buffer -> FloatArray(buffer.remaining()).also { buffer.get(it) } }
            return Image(1, 1, IntArray(1))
        }

        override fun free() {
            freed++
        }
    }

    @Test
    fun fillsTheSameBuffersForEveryImage() {
        val generator = Recorder()
        val weights = FloatArray(398) { it.toFloat() }
        for (value in listOf(1f, 2f)) {
            generator.seen.clear()
            generator.generate(FloatArray(16) { value }, weights)
            assertArrayEquals(FloatArray(16) { value }, generator.seen[0], 0f)
            assertArrayEquals(weights, generator.seen[1], 0f)
        }
    }

    @Test
    fun freesOnceAndDrawsNoMore() {
        val generator = Recorder()
        repeat(2) { generator.close() }
        assertEquals(1, generator.freed)
        assertThrows(IllegalStateException::class.java) { generator.generate(FloatArray(16), FloatArray(398)) }
    }

    @Test
    fun tellsTheFailuresOfARuntime() {
        val library = assertThrows(NativeLibraryException::class.java) {
            adapter.load(artifact) { throw UnsatisfiedLinkError("none") }
        }
        assertEquals("Runtime" to "riscv64", library.runtime to library.abi)
        val load = assertThrows(ModelLoadException::class.java) { adapter.load(artifact) { error("error 18") } }
        assertEquals("error 18" to artifact.file, load.reason to load.file)
        val run = assertThrows(InferenceException::class.java) { adapter.run(artifact) { error("error 32") } }
        assertEquals("error 32", run.reason)
        val own = assertThrows(ModelMismatchException::class.java) {
            adapter.load(artifact) { throw ModelMismatchException(artifact.file, "it has two outputs") }
        }
        assertEquals("what has its sentence keeps it", "it has two outputs", own.reason)
    }

    @Test
    fun refusesWhatItCannotLoad() {
        adapter.check(artifact, 1)
        assertThrows(IllegalArgumentException::class.java) { adapter.check(artifact, 0) }
        for (other in listOf(artifact.copy(runtime = Artifact.TFLITE), artifact.copy(backend = "vulkan"))) {
            assertThrows(ModelLoadException::class.java) { adapter.check(other, 1) }
        }
    }
}
