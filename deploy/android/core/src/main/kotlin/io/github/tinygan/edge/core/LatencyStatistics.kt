package io.github.tinygan.edge.core

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * Latencies of repeated runs, milliseconds.
 *
 * Percentiles are those of `numpy.percentile`: sorted, the value at position p/100 × (n - 1), linear between two runs.
 */
data class LatencyStatistics(
    val p50: Double,
    val p90: Double,
    val mean: Double,
    val min: Double,
    val max: Double,
    val n: Int
) {
    /** Returns the object that benchmark files hold. */
    fun toJson(): JsonObject = buildJsonObject {
        put("p50", p50)
        put("p90", p90)
        put("mean", mean)
        put("min", min)
        put("max", max)
        put("n", n)
    }

    companion object {
        /** @throws IllegalArgumentException if there is no run. */
        fun of(milliseconds: List<Double>): LatencyStatistics {
            require(milliseconds.isNotEmpty()) { "there is no run to make statistics of" }
            val sorted = milliseconds.sorted()
            return LatencyStatistics(
                percentile(sorted, 50.0),
                percentile(sorted, 90.0),
                sorted.average(),
                sorted.first(),
                sorted.last(),
                sorted.size
            )
        }

        /** Returns a percentile of values that are sorted upwards, [percent] in 0..100. */
        fun percentile(sorted: List<Double>, percent: Double): Double {
            val position = percent / 100 * (sorted.size - 1)
            val below = position.toInt()
            val above = minOf(below + 1, sorted.size - 1)
            return sorted[below] + (position - below) * (sorted[above] - sorted[below])
        }
    }
}
