package io.github.tinygan.edge.core

import kotlin.math.abs
import kotlin.math.min
import kotlin.math.sqrt

private const val LAST_ODD = 21
private const val LN2 = 0.6931471805599453
private const val LOWEST_MANTISSA = 0.75

// The normal's tails: -z = P(r)/Q(r) with r = sqrt(-ln p); highest power first, error at most 1.1e-10.
private val tailNumerator = doubleArrayOf(
    1.237616097602807,
    8.039264098917174,
    5.927076918523367,
    -7.576556618723798,
    -3.0337866464020307
)
private val tailDenominator = doubleArrayOf(
    1.118936919080244e-05,
    0.8744612156685913,
    5.711306126470875,
    6.025341561814364,
    1.0
)

/**
 * A law of latents, drawn bit for bit as by `train/noise.py`.
 *
 * Only + - * / and the square root are used, which IEEE 754 fixes to the last bit.
 */
enum class Law(
    /** The name that a manifest gives as `sampler.name`. */
    val sampler: String
) {
    /** N(0, 1) cut at ±2. */
    TRUNCATED_NORMAL(TruncatedNormal.NAME),

    /** N(0, 1). */
    NORMAL("splitmix64-normal-v1"),

    /** Uniform in [-1, 1]. */
    UNIFORM("splitmix64-uniform-v1"),

    /** Uniform on the sphere of radius 1. */
    SPHERE("splitmix64-sphere-v1");

    /**
     * Returns the latent of a seed: [length] values, multiplied by [truncation].
     *
     * @param truncation the factor, in (0, 1].
     * @throws InvalidInputException if [truncation] is outside its range.
     */
    fun latent(seed: ULong, length: Int, truncation: Double): FloatArray {
        if (this == TRUNCATED_NORMAL) return TruncatedNormal.latent(seed, length, truncation)
        TruncatedNormal.check(truncation)
        val words = SplitMix64(seed)
        val values = DoubleArray(length) {
            val uniform = TruncatedNormal.uniform(words.next())
            if (this == UNIFORM) uniform * 2.0 - 1.0 else standardNormal(uniform)
        }
        val radius = if (this == SPHERE) sqrt(values.fold(0.0) { sum, value -> sum + value * value }) else 1.0
        val factor = truncation.toFloat()
        return FloatArray(length) { (values[it] / radius).toFloat() * factor }
    }
}

private fun standardNormal(uniform: Double): Double {
    val q = uniform - 0.5
    if (abs(q) < TruncatedNormal.HALF_MASS) return TruncatedNormal.central(q)
    val r = sqrt(minusLog(min(uniform, 1.0 - uniform)))
    val tail = TruncatedNormal.horner(tailNumerator, r) / TruncatedNormal.horner(tailDenominator, r)
    return if (q < 0) -tail else tail
}

/** Returns -ln p for p in (0, 0.5], by the series of the area tangent of a mantissa in [0.75, 1.5). */
private fun minusLog(p: Double): Double {
    var mantissa = p
    var halvings = 0.0
    while (mantissa < LOWEST_MANTISSA) {
        mantissa *= 2.0
        halvings += 1.0
    }
    val s = (mantissa - 1.0) / (mantissa + 1.0)
    val t = s * s
    var series = 1.0 / LAST_ODD
    for (odd in LAST_ODD - 2 downTo 1 step 2) series = series * t + 1.0 / odd
    return halvings * LN2 - 2.0 * s * series
}
