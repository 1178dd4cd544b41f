package io.github.tinygan.edge.core

import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SuspendingGeneratorTest {
    private val manifest = Fixtures.manifest()
    private val worker = Executors.newSingleThreadExecutor { Thread(it, "worker") }.asCoroutineDispatcher()
    private val fake = Fake()

    /** Draws one pixel and remembers for what. */
    private inner class Fake : ImageGenerator {
        override val model = manifest.model
        override val artifact = manifest.artifacts.first()
        val latents = mutableListOf<FloatArray>()
        var thread = ""
        var before: () -> Unit = {}
        var closed = 0

        override fun generate(latent: FloatArray, classWeights: FloatArray): Image {
            before()
            thread = Thread.currentThread().name
            latents += latent
            return Image(1, 1, IntArray(1) { classWeights.indexOfFirst { weight -> weight == 1f } })
        }

        override fun close() {
            closed++
        }
    }

    @After
    fun stop() = worker.close()

    @Test
    fun drawsASeedAndAClassOnItsOwnThread() = runBlocking {
        SuspendingGenerator.open(manifest, worker) { fake }.use { generator ->
            val image = generator.draw(seed = 7u, classIndex = 134)
            assertEquals(134, image.argb.single())
            val latent = TruncatedNormal.latent(7u, manifest.model.zDim, manifest.truncation)
            assertArrayEquals(latent, fake.latents.single(), 0f)
            assertTrue(fake.thread, fake.thread.startsWith("worker"))
        }
        assertEquals(1, fake.closed)
    }

    @Test
    fun drawsForManyCoroutines() = runBlocking {
        val generator = SuspendingGenerator.open(manifest, worker) { fake }
        val images = List(20) { async { generator.draw(it.toULong(), 0) } }.awaitAll()
        assertEquals(20, images.size)
    }

    @Test
    fun drawsNothingForACoroutineThatIsCancelledBefore() = runBlocking {
        val generator = SuspendingGenerator.open(manifest, worker) { fake }
        val busy = CountDownLatch(1)
        fake.before = { busy.await() }
        val first = launch { generator.draw(1u, 0) }
        val second = launch { generator.draw(2u, 0) }
        testScheduled()
        second.cancel()
        busy.countDown()
        first.join()
        second.join()
        assertEquals("the second image was never begun", 1, fake.latents.size)
    }

    private suspend fun testScheduled() = kotlinx.coroutines.yield()

    @Test
    fun throwsWhatTheGeneratorThrows() {
        assertThrows(MissingFileException::class.java) {
            runBlocking { SuspendingGenerator.open(manifest, worker) { throw MissingFileException("a.pte") } }
        }
        assertThrows(UnknownClassException::class.java) {
            runBlocking { SuspendingGenerator.open(manifest, worker) { fake }.draw(1u, 2) }
        }
    }
}
