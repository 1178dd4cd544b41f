package io.github.tinygan.edge.core

import java.nio.ByteOrder
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicReference
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
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

    /** Behaves as a module of ExecuTorch 1.4: what is destroyed while it runs, and runs when it is destroyed, throws. */
    private inner class Strict : BufferedGenerator(manifest.model, artifact) {
        val drawing = CountDownLatch(1)
        val go = CountDownLatch(1)
        private val running = AtomicBoolean()
        private val destroyed = AtomicBoolean()

        override fun draw(): Image {
            check(!destroyed.get()) { "Module has been destroyed" }
            check(running.compareAndSet(false, true)) { "two images at once share the buffers" }
            drawing.countDown()
            go.await()
            running.set(false)
            return Image(1, 1, IntArray(1))
        }

        override fun free() {
            check(!running.get()) { "Cannot destroy module while method is executing" }
            destroyed.set(true)
        }
    }

    @Test
    fun closesAfterTheImageThatAnotherThreadDraws() {
        val generator = Strict()
        val threads = Executors.newFixedThreadPool(3)
        try {
            fun draw() = threads.submit<Image> { generator.generate(FloatArray(16), FloatArray(398)) }
            val first = draw()
            generator.drawing.await()
            val closer = AtomicReference<Thread>()
            val closing = threads.submit {
                closer.set(Thread.currentThread())
                generator.close()
            }
            while (closer.get()?.state != Thread.State.WAITING) Thread.sleep(1)
            assertFalse(closing.isDone)
            val late = draw()
            generator.go.countDown()
            assertEquals(1, first.get(10, TimeUnit.SECONDS).width)
            closing.get(10, TimeUnit.SECONDS)
            val refused = assertThrows(ExecutionException::class.java) { late.get(10, TimeUnit.SECONDS) }
            assertEquals("the generator is closed", refused.cause?.message)
        } finally {
            threads.shutdownNow()
        }
    }

    @Test
    fun drawsForSeveralThreadsOneAfterAnother() {
        val generator = Strict()
        generator.go.countDown()
        val threads = Executors.newFixedThreadPool(4)
        try {
            val images = List(50) { threads.submit<Image> { generator.generate(FloatArray(16), FloatArray(398)) } }
            for (image in images) assertEquals(1, image.get(10, TimeUnit.SECONDS).width)
        } finally {
            threads.shutdownNow()
        }
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
