package io.github.tinygan.edge.core

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assume.assumeTrue

/** The files that Python wrote for these tests. */
object Fixtures {
    /** Reads a fixture as text. */
    fun text(name: String): String =
        checkNotNull(javaClass.getResourceAsStream("/$name")) { "no fixture $name" }.use { String(it.readBytes()) }

    /** Reads a fixture as JSON. */
    fun json(name: String): JsonElement = Json.parseToJsonElement(text(name))

    /** The manifest of a model with every kind of artifact. */
    fun manifest(): Manifest = Manifest.parse(text("manifest_good.json"))

    /** The manifest of a model of one class. */
    fun oneClassManifest(): Manifest = Manifest.parse(text("manifest_one_class.json"))

    /**
     * The folder of what the model's runtimes drew on the host; a test that asks for it is skipped where there is none.
     *
     * `tests.android` lets them draw and names the folder. Gradle cannot, and does not give the libraries'
     * tests a model either: tests that need one ask for this before they read it.
     */
    fun recordings(): File {
        val folder = System.getProperty("check.recordings")
        assumeTrue("this test is run by tests.android", folder != null)
        return File(checkNotNull(folder))
    }
}

/** The value of a member that must be there. */
operator fun JsonElement.get(name: String): JsonElement = checkNotNull(jsonObject[name]) { "no $name in $this" }

/** The items of a list. */
val JsonElement.items: List<JsonElement> get() = jsonArray

/** The characters of a string. */
val JsonElement.text: String get() = jsonPrimitive.also { check(it.isString) { "$it is no string" } }.content

/** A number. */
val JsonElement.double: Double get() = jsonPrimitive.content.toDouble()

/** An integer. */
val JsonElement.int: Int get() = jsonPrimitive.content.toInt()

/** A list of integers. */
val JsonElement.ints: IntArray get() = items.map { it.int }.toIntArray()

/** The float32 values whose bits stand in a list of eight hexadecimal digits each. */
val JsonElement.floats: FloatArray
    get() = items.map { Float.fromBits(it.text.toLong(16).toInt()) }.toFloatArray()

/** Little-endian float32 values of a file. */
fun readFloats(file: File): FloatArray {
    val buffer = ByteBuffer.wrap(file.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(buffer.remaining()).also { buffer.get(it) }
}
