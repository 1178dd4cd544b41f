package io.github.tinygan.edge.core

import java.io.ByteArrayOutputStream
import java.io.DataOutputStream
import java.nio.ByteBuffer
import java.util.zip.CRC32

/**
 * The recipe inside a PNG: an iTXt chunk with the keyword `tinygan`, not compressed, right behind the header.
 *
 * PNG specification, third edition, 5.3 (chunks) and 11.3.3.4 (iTXt).
 */
object PngRecipe {
    private const val KEYWORD = "tinygan"
    private const val TYPE = "iTXt"
    private const val SIGNATURE_BYTES = 8
    private const val AROUND_DATA = 12 // length, type, checksum
    private const val HEADER_BYTES = SIGNATURE_BYTES + AROUND_DATA + 13
    private val SIGNATURE = byteArrayOf(0x89.toByte(), 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A)

    /**
     * Returns the file with a recipe in it.
     *
     * @throws IllegalArgumentException if [png] is no PNG.
     */
    fun write(png: ByteArray, recipe: Recipe): ByteArray {
        require(isPng(png) && png.size >= HEADER_BYTES) { "${png.size} bytes are no PNG" }
        // Keyword, then no compression, no language, no translated keyword: one zero each, and one that ends a text.
        val data = "$KEYWORD\u0000\u0000\u0000\u0000\u0000${recipe.query}".toByteArray()
        val chunk = TYPE.toByteArray() + data
        val checksum = CRC32().apply { update(chunk) }.value
        val bytes = ByteArrayOutputStream(png.size + data.size + AROUND_DATA)
        DataOutputStream(bytes).run {
            write(png, 0, HEADER_BYTES)
            writeInt(data.size)
            write(chunk)
            writeInt(checksum.toInt())
            write(png, HEADER_BYTES, png.size - HEADER_BYTES)
        }
        return bytes.toByteArray()
    }

    /**
     * Reads the recipe of a file.
     *
     * @return null if it is no PNG, is damaged, or carries none.
     * @throws RecipeException if it carries one that makes no sense.
     */
    fun read(png: ByteArray): Recipe? {
        if (!isPng(png)) return null
        var at = SIGNATURE_BYTES
        while (at + AROUND_DATA <= png.size) {
            val length = ByteBuffer.wrap(png, at, Int.SIZE_BYTES).int
            if (length < 0 || length > png.size - at - AROUND_DATA) return null
            val type = String(png, at + Int.SIZE_BYTES, TYPE.length, Charsets.ISO_8859_1)
            val data = at + Int.SIZE_BYTES + TYPE.length
            if (type == TYPE) text(String(png, data, length, Charsets.UTF_8))?.let { return Recipe.parse(it) }
            at += AROUND_DATA + length
        }
        return null
    }

    private fun text(chunk: String): String? {
        val parts = chunk.split('\u0000', limit = 2)
        if (parts[0] != KEYWORD || parts.size < 2 || !parts[1].startsWith("\u0000")) return null
        // Compression flag and method, then the language and the translated keyword, each with its end.
        return parts[1].drop(2).split('\u0000', limit = 3).getOrNull(2)
    }

    private fun isPng(bytes: ByteArray) =
        bytes.size >= SIGNATURE_BYTES && bytes.copyOf(SIGNATURE_BYTES).contentEquals(SIGNATURE)
}
