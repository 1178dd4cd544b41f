package io.github.tinygan.edge.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class CoresTest {
    @Test
    fun countsTheBigCores() {
        assertEquals(4, Cores.big(listOf(1_800L, 1_800, 1_800, 1_800, 2_400, 2_400, 2_400, 3_000)))
        assertEquals(1, Cores.big(listOf(1_000L, 1_000, 2_000)))
    }

    @Test
    fun takesAllOfEqualCores() {
        assertEquals(4, Cores.big(List(4) { 2_000L }))
        assertEquals(1, Cores.big(listOf(2_000L)))
    }

    @Test
    fun refusesNoCores() {
        assertThrows(IllegalArgumentException::class.java) { Cores.big(emptyList()) }
    }
}
