package io.github.tinygan.edge.executorch

/**
 * Keeps programs with different numbers of threads from being open at once.
 *
 * ExecuTorch computes with one thread pool per process. Loading a program with another number of threads makes a new
 * pool and frees the one that the programs which are open still point to: their next image would end the process.
 */
internal class SharedThreads {
    private var open = 0
    private var count = 0

    /**
     * Returns the program that [load] gives, counted as open until it is closed.
     *
     * @throws IllegalStateException if a program with another number of threads is open; nothing is loaded then.
     */
    @Synchronized
    fun load(threads: Int, load: () -> Program): Program {
        check(open == 0 || threads == count) {
            "it asks for ${counted(threads)}, and a program that is open computes with ${counted(count)}; " +
                "close that one first or use the same number"
        }
        val program = load()
        count = threads
        open++
        return Counted(program)
    }

    @Synchronized
    private fun free(program: Program) {
        try {
            program.close()
        } finally {
            open-- // a program that refuses to close must not keep its number of threads for ever
        }
    }

    private fun counted(threads: Int) = if (threads == 1) "1 thread" else "$threads threads"

    private inner class Counted(private val program: Program) : Program by program {
        private var closed = false

        override fun close() {
            if (closed) return
            closed = true
            free(program)
        }
    }
}
