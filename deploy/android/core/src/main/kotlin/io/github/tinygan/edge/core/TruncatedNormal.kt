package io.github.tinygan.edge.core

/**
 * Latents of the sampler `splitmix64-truncnorm-v1`, bit for bit those of `train/noise.py`.
 *
 * A seed is expanded by [SplitMix64]; each word becomes one value of the standard normal truncated to [-2, 2]
 * through a rational approximation of the inverse CDF. Only + - * / are used, so no maths library can make two
 * platforms differ.
 */
object TruncatedNormal {
    /** The name that the manifest must give as `sampler.name`. */
    const val NAME: String = "splitmix64-truncnorm-v1"

    /** Bound of a latent value, in standard deviations before the truncation factor. */
    const val BOUND: Float = 2f

    internal const val HALF_MASS = 0.4772498680518208 // P(0 < N(0, 1) < 2)
    private const val HALF_ULP = 0.5
    private const val WORD_SCALE = 1.0 / (1L shl 52)

    // Inverse CDF on the central mass: z = q P(q²)/Q(q²); highest power first, error at most 6.5e-11.
    private val numerator = doubleArrayOf(
        67.67033541471996,
        -509.38400687827396,
        862.4381248200701,
        -615.9060685408311,
        216.7231162913094,
        -37.26471486767734,
        2.5066282747120967
    )
    private val denominator = doubleArrayOf(
        105.02830466537615,
        -409.12231025351383,
        528.6209209249652,
        -320.8940660159762,
        100.82185875890949,
        -15.913667861050502,
        1.0
    )

    /**
     * Returns the latent of a seed: [length] values of [truncation] × N(0, 1) truncated to [-2, 2].
     *
     * @param truncation the factor, in (0, 1].
     * @throws InvalidInputException if [truncation] is outside its range.
     */
    fun latent(seed: ULong, length: Int, truncation: Double): FloatArray {
        check(truncation)
        val words = SplitMix64(seed)
        val factor = truncation.toFloat()
        return FloatArray(length) { cut(uniform(words.next())).toFloat() * factor }
    }

    /** Returns the seeds [first], first + 1, …, wrapping at 2^64. */
    fun consecutiveSeeds(first: ULong, count: Int): List<ULong> = List(count) { first + it.toULong() }

    internal fun check(truncation: Double) {
        if (!(truncation > 0.0 && truncation <= 1.0)) {
            throw InvalidInputException("truncation $truncation is not in (0, 1]")
        }
    }

    /** Returns a word as a number in (0, 1). */
    internal fun uniform(word: ULong): Double = ((word shr 12).toLong().toDouble() + HALF_ULP) * WORD_SCALE

    /** Returns the standard normal's value of the mass 0.5 + q, for |q| below [HALF_MASS]. */
    internal fun central(q: Double): Double {
        val t = q * q
        return q * horner(numerator, t) / horner(denominator, t)
    }

    private fun cut(uniform: Double): Double = central((uniform - 0.5) * (2.0 * HALF_MASS))

    internal fun horner(coefficients: DoubleArray, t: Double): Double {
        var value = coefficients[0]
        for (k in 1 until coefficients.size) value = value * t + coefficients[k]
        return value
    }
}

/** The generator SplitMix64: one stream of 64-bit words per [seed]. */
class SplitMix64(seed: ULong) {
    private var state = seed

    /** Returns the next word. */
    fun next(): ULong {
        state += 0x9E3779B97F4A7C15u
        var x = state
        x = (x xor (x shr 30)) * 0xBF58476D1CE4E5B9u
        x = (x xor (x shr 27)) * 0x94D049BB133111EBu
        return x xor (x shr 31)
    }
}
