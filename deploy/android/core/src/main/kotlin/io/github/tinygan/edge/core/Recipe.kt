package io.github.tinygan.edge.core

import java.net.URLDecoder
import kotlin.math.abs

/** How much of a class an image is drawn from; [weight] in (0, 1]. */
data class ClassShare(val index: Int, val weight: Float)

/**
 * What an image was drawn from. The same recipe gives the same latent and class weights on every platform.
 *
 * As a link it is `tinygan://draw?model=…&class=…&seed=…&truncation=…`; a PNG carries what follows the `?`, see
 * [PngRecipe]. A blend of classes is written `class=3:0.5,7:0.3,9:0.2`.
 */
data class Recipe(
    /** The first 16 hexadecimal digits of the hash of the model's float student: [Model.id]. */
    val model: String,
    /** One class, or several whose weights sum to 1. */
    val classes: List<ClassShare>,
    val seed: ULong,
    /** In (0, 1]. */
    val truncation: Double
) {
    /** The fields as they stand in links and PNG files. */
    val query: String
        get() = "model=$model&class=${classText()}&seed=$seed&truncation=${decimal(truncation.toString())}"

    /** The address that opens this image in an app. */
    val link: String get() = "$SCHEME://$ACTION?$query"

    private fun classText(): String = classes.singleOrNull()?.takeIf { it.weight == 1f }?.index?.toString()
        ?: classes.joinToString(",") { "${it.index}:${decimal(it.weight.toString())}" }

    companion object {
        const val SCHEME: String = "tinygan"
        const val ACTION: String = "draw"

        /** Digits of a hash that name a model. */
        const val MODEL_DIGITS: Int = 16

        private const val TOLERANCE = 1e-3f
        private val MODEL = Regex("[0-9a-f]{$MODEL_DIGITS}")
        private val DECIMAL = Regex("[0-9]*\\.?[0-9]+([eE][+-]?[0-9]{1,3})?")
        private val INDEX = Regex("[0-9]{1,9}")

        /**
         * Reads a link, or what follows its `?`. Fields may come in any order; others than the four are left out.
         *
         * @throws RecipeException if a field is missing or makes no sense.
         */
        fun parse(text: String): Recipe {
            val parts = text.trim().split("?", limit = 2)
            if (parts.size == 2 && parts[0] !in listOf("", "$SCHEME://$ACTION")) throw RecipeException("link", text)
            val fields = HashMap<String, String>()
            for (pair in parts.last().split("&").filter { it.isNotEmpty() }) {
                val value = pair.substringAfter("=", "")
                if ("=" !in pair || fields.put(pair.substringBefore("="), decoded(value, text)) != null) {
                    throw RecipeException("link", text)
                }
            }
            val model = fields["model"].orEmpty()
            if (!MODEL.matches(model)) throw RecipeException("model", model)
            val seed = fields["seed"].orEmpty()
            val truncation = fields["truncation"].orEmpty()
            return Recipe(
                model,
                readClasses(fields["class"].orEmpty()),
                seed.takeIf { it.all(Char::isDigit) }?.toULongOrNull() ?: throw RecipeException("seed", seed),
                number(truncation)?.takeIf { it > 0 && it <= 1 } ?: throw RecipeException("truncation", truncation)
            )
        }

        private fun readClasses(text: String): List<ClassShare> {
            if (INDEX.matches(text)) return listOf(ClassShare(text.toInt(), 1f))
            val shares = text.split(",").map { entry ->
                val sides = entry.split(":")
                val weight = sides.getOrNull(1)?.let(::number)?.toFloat()
                if (sides.size != 2 || !INDEX.matches(sides[0]) || weight == null || weight <= 0) {
                    throw RecipeException("class", text)
                }
                ClassShare(sides[0].toInt(), weight)
            }
            val isWhole = abs(shares.map { it.weight }.sum() - 1f) <= TOLERANCE
            if (!isWhole || shares.distinctBy { it.index }.size < shares.size) throw RecipeException("class", text)
            return shares
        }

        private fun number(text: String): Double? = text.takeIf(DECIMAL::matches)?.toDoubleOrNull()

        private fun decoded(value: String, text: String) = try {
            URLDecoder.decode(value, "UTF-8")
        } catch (error: IllegalArgumentException) {
            throw RecipeException("link", text, error)
        }

        private fun decimal(text: String) = text.removeSuffix(".0")
    }
}

/** The name of this model in recipes; empty if its manifest has no hash of a float student. */
val Model.id: String get() = sha256["float"].orEmpty().take(Recipe.MODEL_DIGITS)

/**
 * Returns the class weights of a blend.
 *
 * @throws UnknownClassException if a class cannot be drawn.
 */
fun Model.classWeights(shares: List<ClassShare>): FloatArray {
    for (share in shares) className(share.index)
    val weights = FloatArray(weightCount)
    if (weights.isNotEmpty()) for (share in shares) weights[share.index] = share.weight
    return weights
}
