package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class PixelsTest {
    private val fixture = Fixtures.json("pixels.json")

    @Test
    fun roundsEveryValueAsPythonDoes() {
        val values = fixture["values"].items
        assertTrue(values.size > 30)
        for (value in values) {
            val number = Float.fromBits(value["bits"].text.toLong(16).toInt())
            assertEquals("byte of $number", value["byte"].int, Pixels.byteOf(number))
        }
    }

    @Test
    fun readsBothLayouts() {
        val images = fixture["images"].items
        assertEquals(setOf("NCHW", "NHWC"), images.map { it["layout"].text }.toSet())
        for (image in images) {
            val layout = PixelLayout.valueOf(image["layout"].text)
            val shape = image["shape"].ints
            val (height, width) = if (layout == PixelLayout.NCHW) shape[2] to shape[3] else shape[1] to shape[2]
            val drawn = Pixels.fromFloats(image["bits"].floats, width, height, layout)
            assertEquals(image["rgb"].ints.toList(), drawn.toRgb().map { it.toInt() and 0xFF })
            assertTrue("opaque", drawn.argb.all { it ushr 24 == 0xFF })
        }
    }

    @Test
    fun keepsBytes() {
        val bytes = byteArrayOf(0, 1, 127, -128, -1, 64)
        val nhwc = Pixels.fromBytes(bytes, 2, 1, PixelLayout.NHWC)
        assertArrayEquals(intArrayOf(0xFF00017F.toInt(), 0xFF80FF40.toInt()), nhwc.argb)
        val nchw = Pixels.fromBytes(byteArrayOf(0, -128, 1, -1, 127, 64), 2, 1, PixelLayout.NCHW)
        assertArrayEquals(nhwc.argb, nchw.argb)
    }

    @Test
    fun refusesAnotherSize() {
        assertThrows(IllegalArgumentException::class.java) {
            Pixels.fromFloats(FloatArray(11), 2, 2, PixelLayout.NCHW)
        }
    }

    @Test
    fun countsWhatIsNoNumber() {
        val values = floatArrayOf(0f, Float.NaN, 1f, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY)
        assertEquals(3, Pixels.countNotFinite(values))
    }
}
