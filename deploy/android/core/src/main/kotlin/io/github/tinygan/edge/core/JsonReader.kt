package io.github.tinygan.edge.core

/** A strict reader of RFC 8259. */
internal class JsonReader(private val text: String) {
    private var at = 0
    private val path = ArrayList<String>()

    /** Reads the whole text. */
    fun readAll(): Json {
        val value = readValue()
        skipSpace()
        if (at < text.length) fail("text after the value")
        return value
    }

    private fun readValue(): Json {
        skipSpace()
        return when (peek()) {
            '{' -> readObject()
            '[' -> readArray()
            '"' -> Json.Text(readString())
            't' -> word("true", Json.Bool(true))
            'f' -> word("false", Json.Bool(false))
            'n' -> word("null", Json.Null)
            else -> readNumber()
        }
    }

    private fun readObject(): Json {
        val members = LinkedHashMap<String, Json>()
        list('}') {
            if (peek() != '"') fail("a name in quotes was expected")
            val name = readString()
            skipSpace()
            expect(':')
            if (name in members) fail("$name stands twice")
            members[name] = within(name) { readValue() }
        }
        return Json.Object(members)
    }

    private fun readArray(): Json {
        val items = ArrayList<Json>()
        list(']') { items.add(within("${items.size}") { readValue() }) }
        return Json.Array(items)
    }

    // A hostile text must end in a sentence, not in a full stack.
    private inline fun within(name: String, read: () -> Json): Json {
        if (path.size == MAX_DEPTH) fail("more than $MAX_DEPTH levels")
        path.add(name)
        return read().also { path.removeAt(path.size - 1) }
    }

    private inline fun list(end: Char, item: () -> Unit) {
        at++
        skipSpace()
        if (peek() == end) {
            at++
            return
        }
        while (true) {
            skipSpace()
            item()
            skipSpace()
            if (peek() == end) break
            expect(',')
        }
        at++
    }

    private fun readString(): String = buildString {
        at++
        while (true) {
            when (val char = next()) {
                '"' -> return@buildString
                '\\' -> append(readEscape())
                else -> if (char < ' ') fail("a control character in a string") else append(char)
            }
        }
    }

    private fun readEscape(): Char = when (val char = next()) {
        '"', '\\', '/' -> char
        'b' -> '\b'
        'f' -> '\u000C'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (digits.length < 4 || digits.any { it.digitToIntOrNull(16) == null }) fail("a wrong \\u escape")
            at += 4
            digits.toInt(16).toChar()
        }
        else -> fail("a wrong escape")
    }

    private fun readNumber(): Json {
        val match = NUMBER.find(text, at)
        if (match == null || match.range.first != at) fail("a value was expected")
        at = match.range.last + 1
        return Json.Number(match.value)
    }

    private fun word(word: String, value: Json): Json {
        if (!text.startsWith(word, at)) fail("a value was expected")
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("the text ends early")

    private fun next(): Char = peek().also { at++ }

    private fun expect(char: Char) {
        if (peek() != char) fail("'$char' was expected")
        at++
    }

    private fun fail(what: String): Nothing {
        val line = text.substring(0, minOf(at, text.length)).count { it == '\n' } + 1
        throw JsonException("line $line" + (if (path.isEmpty()) "" else ", in ${path.joinToString(".")}") + ": $what")
    }

    private companion object {
        const val MAX_DEPTH = 64
        val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
    }
}
