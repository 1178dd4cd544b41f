package io.github.tinygan.edge.app

private const val NANOSECONDS_PER_MILLISECOND = 1e6

/** What some work gave, and how long it took. */
class Timed<T>(val result: T, val milliseconds: Double)

/** Runs [work] with a clock. */
inline fun <T> timed(work: () -> T): Timed<T> {
    val start = System.nanoTime()
    val result = work()
    return Timed(result, milliseconds(System.nanoTime() - start))
}

/** Returns nanoseconds as milliseconds. */
fun milliseconds(nanoseconds: Long): Double = nanoseconds / NANOSECONDS_PER_MILLISECOND
