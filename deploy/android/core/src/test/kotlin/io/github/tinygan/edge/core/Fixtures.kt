package io.github.tinygan.edge.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.Assert.assertEquals

/** The files that Python wrote for these tests. */
object Fixtures {
    /** Reads a fixture as text. */
    fun text(name: String): String =
        checkNotNull(javaClass.getResourceAsStream("/$name")) { "no fixture $name" }.use { String(it.readBytes()) }

    /** Reads a fixture as JSON. */
    fun json(name: String): Json = Json.parse(text(name))

    /** The manifest of a model with every kind of artifact. */
    fun manifest(): Manifest = Manifest.parse(text("manifest_good.json"))

    /** The manifest of a model of one class. */
    fun oneClassManifest(): Manifest = Manifest.parse(text("manifest_one_class.json"))

    /** The folder of what the model's runtimes drew on the host. */
    fun recordings(): File =
        File(checkNotNull(System.getProperty("check.recordings")) { "run these tests by deploy.android.check" })
}

internal operator fun Json.get(name: String): Json =
    checkNotNull((this as Json.Object).members[name]) { "no $name in $this" }

internal val Json.items: List<Json> get() = (this as Json.Array).items
internal val Json.text: String get() = (this as Json.Text).value
internal val Json.double: Double get() = (this as Json.Number).text.toDouble()
internal val Json.int: Int get() = (this as Json.Number).text.toInt()
internal val Json.ints: IntArray get() = items.map { it.int }.toIntArray()

/** The float32 values whose bits stand in a list of eight hexadecimal digits each. */
internal val Json.floats: FloatArray
    get() = items.map { Float.fromBits(it.text.toLong(16).toInt()) }.toFloatArray()

/** Compares bit for bit: -0 is not 0, and NaN is itself. */
internal fun assertSameBits(what: String, expected: FloatArray, actual: FloatArray) {
    val bits = { values: FloatArray -> values.map { Integer.toHexString(it.toRawBits()) } }
    assertEquals(what, bits(expected), bits(actual))
}

/** Little-endian float32 values of a file. */
internal fun readFloats(file: File): FloatArray {
    val buffer = ByteBuffer.wrap(file.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(buffer.remaining()).also { buffer.get(it) }
}
