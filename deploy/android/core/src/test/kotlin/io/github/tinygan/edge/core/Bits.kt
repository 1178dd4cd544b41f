package io.github.tinygan.edge.core

import org.junit.Assert.assertEquals

/** Compares bit for bit: -0 is not 0, and NaN is itself. */
internal fun assertSameBits(what: String, expected: FloatArray, actual: FloatArray) {
    val bits = { values: FloatArray -> values.map { Integer.toHexString(it.toRawBits()) } }
    assertEquals(what, bits(expected), bits(actual))
}
