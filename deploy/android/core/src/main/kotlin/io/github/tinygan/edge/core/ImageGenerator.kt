package io.github.tinygan.edge.core

import java.io.Closeable

/**
 * A model that is loaded and draws images.
 *
 * Several threads may use it: images are drawn one after another, and [close] waits for the one that is being drawn.
 * Each call blocks, so keep it off an app's main thread; [SuspendingGenerator] does that for coroutines.
 */
interface ImageGenerator : Closeable {
    val model: Model

    /** The file that draws. */
    val artifact: Artifact

    /**
     * Draws an image.
     *
     * @param latent [Model.zDim] values, from [TruncatedNormal.latent] or [Morph].
     * @param classWeights [Model.weightCount] values, from [Model.classWeights] or [Morph].
     * @throws InvalidInputException if a length is wrong or a value is not finite.
     * @throws InvalidOutputException if the image holds NaN or infinity.
     * @throws ModelMismatchException if the output is not what the manifest says.
     * @throws InferenceException if the runtime fails.
     * @throws IllegalStateException if it is closed.
     */
    fun generate(latent: FloatArray, classWeights: FloatArray): Image

    /** Frees the model, after the image that is being drawn; closing twice is allowed. */
    override fun close()
}

/** A model whose file is on this device and is the one of its manifest: all that is left is to load it. */
fun interface PreparedModel<out G : ImageGenerator> {
    /**
     * Loads the model.
     *
     * @throws NativeLibraryException if the runtime has no library for this processor.
     * @throws ModelLoadException if the runtime refuses the model.
     * @throws ModelMismatchException if its inputs or outputs are not those of the manifest.
     */
    fun load(): G
}

/**
 * Checks the inputs of [ImageGenerator.generate].
 *
 * @throws InvalidInputException if a length is wrong or a value is not finite.
 */
fun Model.checkInputs(latent: FloatArray, classWeights: FloatArray) {
    checkVector("latent", latent, zDim)
    checkVector("class weights", classWeights, weightCount)
}

/**
 * Turns the float output of [artifact] into an image.
 *
 * @param values the output tensor's values, in its order.
 * @throws ModelMismatchException if there are more or fewer than the manifest says.
 * @throws InvalidOutputException if one is NaN or infinite.
 */
fun Model.decode(artifact: Artifact, values: FloatArray): Image {
    checkSize(artifact, values.size)
    val broken = Pixels.countNotFinite(values)
    if (broken > 0) throw InvalidOutputException(artifact.file, broken)
    return Pixels.fromFloats(values, imageSize, imageSize, artifact.layout)
}

/**
 * Turns the byte output of [artifact] into an image.
 *
 * @throws ModelMismatchException if there are more or fewer bytes than the manifest says.
 */
fun Model.decode(artifact: Artifact, values: ByteArray): Image {
    checkSize(artifact, values.size)
    return Pixels.fromBytes(values, imageSize, imageSize, artifact.layout)
}

private fun checkVector(name: String, values: FloatArray, length: Int) {
    if (values.size != length) throw InvalidInputException("the $name has ${values.size} values, not $length")
    if (Pixels.countNotFinite(values) > 0) throw InvalidInputException("the $name holds values that are not finite")
}

private fun checkSize(artifact: Artifact, size: Int) {
    val expected = artifact.output.size
    if (size != expected) throw ModelMismatchException(artifact.file, "its output has $size values, not $expected")
}
