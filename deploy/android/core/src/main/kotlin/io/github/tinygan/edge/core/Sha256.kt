package io.github.tinygan.edge.core

import java.io.InputStream
import java.io.OutputStream
import java.nio.ByteBuffer
import java.security.MessageDigest

/** The hash by which the manifest knows its files. */
object Sha256 {
    private const val CHUNK = 1 shl 16

    /** Returns the hash of a buffer from its position to its limit, without moving either. */
    fun of(buffer: ByteBuffer): String = digest().apply { update(buffer.duplicate()) }.hex()

    /** Returns the hash and length of what is left in a stream, copying it to [sink]. */
    fun of(stream: InputStream, sink: OutputStream? = null): Checksum {
        val digest = digest()
        val chunk = ByteArray(CHUNK)
        var bytes = 0L
        while (true) {
            val count = stream.read(chunk)
            if (count < 0) break
            digest.update(chunk, 0, count)
            sink?.write(chunk, 0, count)
            bytes += count
        }
        return Checksum(bytes, digest.hex())
    }

    private fun digest() = MessageDigest.getInstance("SHA-256")

    private fun MessageDigest.hex() = digest().joinToString("") { (it.toInt() and 0xFF).toString(16).padStart(2, '0') }
}

/** The length of a file and its SHA-256 in lower-case hexadecimal. */
data class Checksum(val bytes: Long, val sha256: String) {
    /**
     * Compares with what the manifest says.
     *
     * @throws CorruptFileException if the length or the hash differs.
     */
    fun check(artifact: Artifact) {
        if (bytes != artifact.bytes) {
            throw CorruptFileException(artifact.file, "${artifact.bytes} bytes", "$bytes bytes")
        }
        if (sha256 != artifact.sha256) {
            val expected = artifact.sha256.take(SHOWN)
            val found = sha256.take(SHOWN)
            throw CorruptFileException(artifact.file, "SHA-256 $expected…", "$found…")
        }
    }

    private companion object {
        const val SHOWN = 12
    }
}
