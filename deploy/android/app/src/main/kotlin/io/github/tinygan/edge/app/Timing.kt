package io.github.tinygan.edge.app

/** Nanoseconds in a millisecond. */
const val NANOSECONDS_PER_MILLISECOND: Double = 1e6

/** Returns what [work] gives, and how long it took in nanoseconds. */
inline fun <T> timed(work: () -> T): Pair<T, Long> {
    val start = System.nanoTime()
    val result = work()
    return result to System.nanoTime() - start
}
