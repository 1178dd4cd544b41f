package io.github.tinygan.edge.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class YuvTest {
    private val opaque = 0xFF shl 24
    private val image = Image(2, 2, intArrayOf(opaque or 0xFFFFFF, opaque, opaque or 0xFF0000, opaque or 0x0000FF))

    private val frame = Yuv(2, scale = 2).frame(image).map { it.toInt() and 0xFF }

    @Test
    fun givesTheBrightnessOfEveryPixel() {
        // White, black, red and blue of BT.601 in limited range.
        val rows = listOf(listOf(235, 235, 16, 16), listOf(82, 82, 41, 41))
        assertEquals(listOf(rows[0], rows[0], rows[1], rows[1]).flatten(), frame.take(16))
    }

    @Test
    fun givesTheColoursOfEveryFourPixels() {
        assertEquals("blue", listOf(128, 128, 90, 240), frame.subList(16, 20))
        assertEquals("red", listOf(128, 128, 240, 110), frame.drop(20))
    }

    @Test
    fun refusesWhatCannotBeHalved() {
        assertThrows(IllegalArgumentException::class.java) { Yuv(3, 1) }
        assertThrows(IllegalArgumentException::class.java) { Yuv(4, 1).frame(image) }
        assertEquals(6 * 6 * 3 / 2, Yuv(3, 2).bytes)
    }
}
