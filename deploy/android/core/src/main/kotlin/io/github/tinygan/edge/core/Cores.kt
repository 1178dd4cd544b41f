package io.github.tinygan.edge.core

/** Which cores of a phone are worth computing on. */
object Cores {
    /**
     * Returns how many big cores there are: those whose highest frequency is above the lowest of all; all, if they are
     * equal.
     *
     * @param frequencies highest frequency of each core; not empty.
     */
    fun big(frequencies: List<Long>): Int {
        require(frequencies.isNotEmpty()) { "there are no cores" }
        val above = frequencies.count { it > frequencies.min() }
        return if (above == 0) frequencies.size else above
    }
}
