package io.github.tinygan.edge.core

import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class LatencyStatisticsTest {
    @Test
    fun summarisesAsNumpyDoes() {
        val fixture = Fixtures.json("statistics.json")
        val tolerance = fixture["relative_tolerance"].double
        for (case in fixture["cases"].items) {
            val statistics = LatencyStatistics.of(case["samples"].items.map { it.double }).toJson()
            assertEquals(setOf("p50", "p90", "mean", "min", "max", "n"), statistics.keys)
            for ((name, value) in statistics) {
                val expected = case[name].double
                assertEquals("$name of $case", expected, value.double, tolerance * abs(expected))
            }
        }
    }

    @Test
    fun refusesNoRun() {
        assertThrows(IllegalArgumentException::class.java) { LatencyStatistics.of(emptyList()) }
    }
}
