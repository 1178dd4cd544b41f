package io.github.tinygan.edge.executorch

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.pytorch.executorch.EValue

class SharedThreadsTest {
    private val shared = SharedThreads()
    private var loaded = 0
    private var closed = 0

    private fun load(threads: Int): Program = shared.load(threads) {
        loaded++
        object : Program {
            override fun forward(inputs: Array<EValue>): Array<EValue> = inputs

            override fun close() {
                closed++
            }
        }
    }

    private fun refuses(threads: Int) {
        val before = loaded
        assertThrows(IllegalStateException::class.java) { load(threads) }
        assertEquals("it is refused before the pool is touched", before, loaded)
    }

    @Test
    fun takesAnotherNumberWhenTheLastProgramIsClosed() {
        val programs = listOf(load(2), load(2))
        refuses(1)
        programs[0].close()
        refuses(4)
        programs[1].close()
        load(4).close()
        load(1).close()
        assertEquals(4 to 4, loaded to closed)
    }

    @Test
    fun countsAProgramThatIsClosedTwiceOnce() {
        val (first, second) = load(2) to load(2)
        repeat(2) { first.close() }
        assertEquals(1, closed)
        refuses(3)
        second.close()
        load(3)
    }

    @Test
    fun doesNotCountAProgramThatIsRefused() {
        assertThrows(UnsatisfiedLinkError::class.java) { shared.load(8) { throw UnsatisfiedLinkError("none") } }
        load(2)
        refuses(8)
    }

    @Test
    fun forgetsAProgramThatRefusesToClose() {
        val program = shared.load(2) {
            object : Program {
                override fun forward(inputs: Array<EValue>): Array<EValue> = inputs

                override fun close(): Unit =
                    throw IllegalStateException("Cannot destroy module while method is executing")
            }
        }
        assertThrows(IllegalStateException::class.java) { program.close() }
        load(4)
    }
}
