package io.github.tinygan.edge.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class JsonTest {
    @Test
    fun readsValues() {
        val value = Json.parse(""" {"a": [1, -2.5e3, true, false, null], "b": {"": "x"}} """)
        assertEquals("""{"a": [1, -2.5e3, true, false, null], "b": {"": "x"}}""", value.toString())
        assertEquals(-2500.0, value["a"].items[1].double, 0.0)
    }

    @Test
    fun keepsAll64BitsOfANumber() {
        assertEquals("18446744073709551615", (Json.parse("18446744073709551615") as Json.Number).text)
    }

    @Test
    fun readsEscapes() {
        val read = Json.parse(""""\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00 é"""").text
        assertEquals("\"\\/\b\u000c\n\r\tä😀 é", read)
    }

    @Test
    fun writesWhatItReads() {
        val text = "quote \" backslash \\ control \u0001\n\t umlaut ä emoji 😀"
        assertEquals(text, Json.parse(Json.of(text).toString()).text)
        val tree = Json.of("n" to Json.of(3L), "x" to Json.of(0.1), "no" to null, "l" to Json.of(listOf(Json.of(true))))
        assertEquals("""{"n": 3, "x": 0.1, "l": [true]}""", tree.toString())
        assertEquals(tree, Json.parse(tree.toString()))
    }

    @Test
    fun hasNoNumberForInfinity() {
        for (value in listOf(Double.NaN, Double.POSITIVE_INFINITY)) {
            assertThrows(IllegalArgumentException::class.java) { Json.of(value) }
        }
    }

    @Test
    fun refusesWhatIsNoJson() {
        val texts = listOf(
            "", " ", "{", "[1,]", "[1 2]", "{\"a\" 1}", "{a: 1}", "{\"a\": 1,}", "01", "1.", ".5", "+1", "1e", "-", "NaN",
            "Infinity", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "1 2", "[1]]", "'a'", "{\"a\": 1, \"a\": 2}",
        )
        for (text in texts) {
            assertThrows("<$text> was read", JsonException::class.java) { Json.parse(text) }
        }
    }

    @Test
    fun endsDeepNestingInASentence() {
        val error = assertThrows(JsonException::class.java) { Json.parse("[".repeat(100_000)) }
        assertTrue(error.message, "levels" in error.message.orEmpty())
    }
}
