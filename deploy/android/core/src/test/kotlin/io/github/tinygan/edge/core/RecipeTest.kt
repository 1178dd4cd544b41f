package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test

class RecipeTest {
    private val plain = Recipe("76a7e234dc54e9c6", listOf(ClassShare(7, 1f)), ULong.MAX_VALUE, 0.5)
    private val link = "tinygan://draw?model=76a7e234dc54e9c6&class=7&seed=18446744073709551615&truncation=0.5"
    private val blend = plain.copy(
        classes = listOf(ClassShare(3, 0.5f), ClassShare(7, 0.3f), ClassShare(9, 0.2f)),
        truncation = 1.0
    )

    /** One pixel, by another encoder. */
    private val png = (
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de" +
            "0000000c4944415408d763f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
        ).chunked(2).map { it.toInt(16).toByte() }.toByteArray()

    @Test
    fun writesLinksAsTheOtherPlatformsDo() {
        assertEquals(link, plain.link)
        val text = "model=76a7e234dc54e9c6&class=3:0.5,7:0.3,9:0.2&seed=18446744073709551615&truncation=1"
        assertEquals(text, blend.query)
    }

    @Test
    fun readsWhatItWrites() {
        for (recipe in listOf(plain, blend, plain.copy(seed = 0u, truncation = 0.01))) {
            assertEquals(recipe, Recipe.parse(recipe.link))
            assertEquals(recipe, Recipe.parse(recipe.query))
        }
    }

    @Test
    fun readsWhatOthersWrite() {
        val other = "truncation=0.5&seed=18446744073709551615&class=7&more=x&model=76a7e234dc54e9c6"
        assertEquals(plain, Recipe.parse(other))
        val encoded = blend.query.replace(":", "%3A").replace(",", "%2C")
        assertEquals(blend, Recipe.parse(encoded.replace("truncation=1", "truncation=1.0")))
    }

    @Test
    fun refusesWhatMakesNoSense() {
        val wrong = mapOf(
            "https://draw?${plain.query}" to "link",
            "tinygan://other?${plain.query}" to "link",
            "${plain.query}&seed=1" to "link",
            "seed" to "link",
            "model=%ZZ" to "link",
            plain.query.replace("76a7", "76A7") to "model",
            plain.query.replace("class=7", "class=-7") to "class",
            plain.query.replace("class=7", "class=7:0.5") to "class",
            plain.query.replace("class=7", "class=7:0.5,7:0.5") to "class",
            plain.query.replace("class=7", "class=7:NaN,8:0.5") to "class",
            plain.query.replace("&class=7", "") to "class",
            plain.query.replace("551615", "551616") to "seed",
            plain.query.replace("seed=1", "seed=+1") to "seed",
            plain.query.replace("0.5", "0") to "truncation",
            plain.query.replace("0.5", "1.5") to "truncation",
            plain.query.replace("0.5", "infinity") to "truncation"
        )
        for ((text, field) in wrong) {
            assertEquals(text, field, assertThrows(text, RecipeException::class.java) { Recipe.parse(text) }.field)
        }
    }

    @Test
    fun givesTheClassWeights() {
        val model = Fixtures.manifest().model
        assertEquals("76a7e234dc54e9c6", model.id)
        val weights = model.classWeights(listOf(ClassShare(7, 0.75f), ClassShare(134, 0.25f)))
        assertArrayEquals(
            FloatArray(398) {
                if (it == 7) {
                    0.75f
                } else if (it == 134) {
                    0.25f
                } else {
                    0f
                }
            },
            weights,
            0f
        )
        assertThrows(UnknownClassException::class.java) { model.classWeights(listOf(ClassShare(2, 1f))) }
        assertEquals(0, Fixtures.oneClassManifest().model.classWeights(listOf(ClassShare(281, 1f))).size)
    }

    @Test
    fun liesInAPng() {
        val written = PngRecipe.write(png, blend)
        assertEquals(blend, PngRecipe.read(written))
        assertEquals("the header comes first", png.take(33), written.take(33))
        assertEquals("and all else follows", png.drop(33), written.takeLast(png.size - 33))
        // zlib.crc32(b"iTXttinygan\\0\\0\\0\\0\\0" + query) of Python.
        val chunk = java.nio.ByteBuffer.wrap(PngRecipe.write(png, plain), 33, 4 + 4 + 83 + 4)
        assertEquals(83, chunk.int)
        assertEquals(0x84e46ad4L.toInt(), chunk.getInt(33 + 4 + 4 + 83))
    }

    @Test
    fun isNotInOtherFiles() {
        assertNull(PngRecipe.read(png))
        assertNull(PngRecipe.read(byteArrayOf()))
        assertNull(PngRecipe.read("GIF89a and so on".toByteArray()))
        val written = PngRecipe.write(png, plain)
        for (length in listOf(8, 20, 40, 60)) assertNull("cut at $length", PngRecipe.read(written.copyOf(length)))
        assertThrows(IllegalArgumentException::class.java) { PngRecipe.write(byteArrayOf(1, 2, 3), plain) }
    }
}
