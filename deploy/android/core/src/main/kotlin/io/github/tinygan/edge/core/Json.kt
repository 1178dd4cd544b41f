package io.github.tinygan.edge.core

/**
 * A JSON value.
 *
 * Numbers keep their text: a seed may need all 64 bits, which the doubles of most readers do not have.
 */
sealed class Json {
    /** `{…}`, in the order of the text. */
    data class Object(val members: Map<String, Json>) : Json() {
        override fun toString(): String =
            members.entries.joinToString(", ", "{", "}") { (name, value) -> "${quote(name)}: $value" }
    }

    /** `[…]`. */
    data class Array(val items: List<Json>) : Json() {
        override fun toString(): String = items.joinToString(", ", "[", "]")
    }

    /** `"…"`. */
    data class Text(val value: String) : Json() {
        override fun toString(): String = quote(value)
    }

    /** A number as it is written. */
    data class Number(val text: String) : Json() {
        override fun toString(): String = text
    }

    /** `true` or `false`. */
    data class Bool(val value: Boolean) : Json() {
        override fun toString(): String = value.toString()
    }

    /** `null`. */
    data object Null : Json() {
        override fun toString(): String = "null"
    }

    /** Makes values; [toString] of them is JSON text. */
    companion object {
        /** Reads one value and nothing after it. @throws JsonException if [text] is not JSON. */
        fun parse(text: String): Json = JsonReader(text).readAll()

        /** Returns an object; members whose value is null are left out. */
        fun of(vararg members: Pair<String, Json?>): Object =
            Object(members.mapNotNull { (name, value) -> value?.let { name to it } }.toMap())

        /** Returns an array. */
        fun of(items: List<Json>): Array = Array(items)

        /** Returns a string. */
        fun of(value: String): Text = Text(value)

        /** Returns an integer. */
        fun of(value: Long): Number = Number(value.toString())

        /** Returns a number. @throws IllegalArgumentException if it is not finite: JSON has no word for it. */
        fun of(value: Double): Number {
            require(value.isFinite()) { "JSON has no number $value" }
            return Number(value.toString())
        }

        /** Returns `true` or `false`. */
        fun of(value: Boolean): Bool = Bool(value)

        private fun quote(text: String): String = buildString {
            append('"')
            for (char in text) {
                when {
                    char == '"' || char == '\\' -> append('\\').append(char)
                    char < ' ' -> append("\\u").append(char.code.toString(16).padStart(4, '0'))
                    else -> append(char)
                }
            }
            append('"')
        }
    }
}

/** A text is not JSON. */
class JsonException(message: String) : Exception(message)
