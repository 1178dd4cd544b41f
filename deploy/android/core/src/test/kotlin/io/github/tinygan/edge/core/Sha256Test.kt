package io.github.tinygan.edge.core

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class Sha256Test {
    @Test
    fun hashesAsPythonDoes() {
        for (file in Fixtures.json("sha256.json")["files"].items) {
            val bytes = file["hex"].text.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
            assertEquals(Checksum(bytes.size.toLong(), file["sha256"].text), Sha256.of(bytes.inputStream()))
            val buffer = ByteBuffer.allocateDirect(bytes.size + 3).put(1).put(bytes).put(2)
            buffer.position(1)
            buffer.limit(bytes.size + 1)
            assertEquals(file["sha256"].text, Sha256.of(buffer))
            assertEquals("the buffer stays where it was", 1, buffer.position())
        }
    }

    @Test
    fun copiesWhatItHashes() {
        val bytes = ByteArray(200_000) { it.toByte() }
        val copy = ByteArrayOutputStream()
        assertEquals(200_000, Sha256.of(bytes.inputStream(), copy).bytes)
        assertArrayEquals(bytes, copy.toByteArray())
    }

    @Test
    fun refusesAnotherSizeAndAnotherHash() {
        val artifact = Fixtures.manifest().artifact("student_int8.tflite")
        Checksum(artifact.bytes, artifact.sha256).check(artifact)
        for (found in listOf(Checksum(artifact.bytes - 1, artifact.sha256), Checksum(artifact.bytes, "0".repeat(64)))) {
            val error = assertThrows(CorruptFileException::class.java) { found.check(artifact) }
            assertTrue(error.message, artifact.file in error.message.orEmpty())
        }
    }
}
