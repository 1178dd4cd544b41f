package io.github.tinygan.edge.core

import kotlin.math.log10

/** Compares what a model draws on this device with what its student drew when it was exported. */
object GoldenCheck {
    /** Smallest PSNR to the student's image, dB: backends round differently, a wrong model is far below. */
    const val FLOOR: Double = 30.0

    private const val PEAK = 255.0

    /**
     * Draws the first golden image and compares it.
     *
     * @param expected the student's image, 3 × height × width bytes R, G, B, from the file that [Manifest.golden]
     *   names for [Artifact.student].
     * @return the PSNR, dB; infinite if every byte agrees.
     * @throws CorruptFileException if [expected] is of another size.
     * @throws GoldenMismatchException if the image is less than [FLOOR] dB from it.
     * @throws EdgeException what [ImageGenerator.generate] throws.
     */
    fun check(generator: ImageGenerator, manifest: Manifest, expected: ByteArray): Double {
        val golden = manifest.golden
        val model = manifest.model
        val artifact = generator.artifact
        val size = model.imageSize * model.imageSize * Image.CHANNELS
        if (expected.size != size) {
            throw CorruptFileException(golden.files.getValue(artifact.student), "$size bytes", "${expected.size} bytes")
        }
        val latent = model.latent(golden.seed, manifest.truncation)
        val image = generator.generate(latent, model.classWeights(golden.classIndex))
        val decibels = psnr(image.toRgb(), expected)
        if (decibels < FLOOR) throw GoldenMismatchException(artifact.file, decibels, FLOOR)
        return decibels
    }

    /**
     * Returns the peak signal-to-noise ratio of two images of bytes, dB; infinite if they are equal.
     *
     * @throws IllegalArgumentException if their sizes differ.
     */
    fun psnr(first: ByteArray, second: ByteArray): Double {
        require(first.size == second.size) { "images of ${first.size} and ${second.size} bytes cannot be compared" }
        val squares = first.indices.sumOf { k ->
            val difference = (first[k].toInt() and 0xFF) - (second[k].toInt() and 0xFF)
            (difference * difference).toLong()
        }
        if (squares == 0L) return Double.POSITIVE_INFINITY
        return 10 * log10(PEAK * PEAK * first.size / squares)
    }
}
