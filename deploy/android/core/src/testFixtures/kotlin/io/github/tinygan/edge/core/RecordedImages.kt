package io.github.tinygan.edge.core

import java.io.File
import kotlinx.serialization.json.Json

/**
 * What the model's own runtime gave on the host, found by the exact bits of its inputs.
 *
 * @param folder what `tests.android` recorded.
 */
class RecordedOutputs(folder: File, artifact: Artifact) {
    private val outputs = HashMap<List<Int>, FloatArray>()

    init {
        val index = Json.parseToJsonElement(File(folder, "recordings.json").readText())
        val inputs = readFloats(File(folder, index["inputs"].text))
        val own = index["artifacts"].items.single { it["file"].text == artifact.file }
        val values = readFloats(File(folder, own["outputs"].text))
        val (length, size) = artifact.inputs.sumOf { it.size } to artifact.output.size
        for (row in 0 until inputs.size / length) {
            val key = bits(inputs.copyOfRange(row * length, (row + 1) * length))
            outputs[key] = values.copyOfRange(row * size, (row + 1) * size)
        }
    }

    /**
     * Returns the output tensor's values.
     *
     * @param inputs the latent and behind it the class weights.
     * @throws IllegalStateException if they were not recorded: nothing is made up.
     */
    fun find(inputs: FloatArray): FloatArray = checkNotNull(outputs[bits(inputs)]) {
        "the host drew nothing for ${inputs.take(3)}… with class weights ${inputs.takeLast(10)}; " +
            "add it to tests/android/recordings.py"
    }

    private fun bits(values: FloatArray): List<Int> = values.map { it.toRawBits() }
}

/** Draws what [RecordedOutputs] holds. */
class RecordedImages(override val model: Model, override val artifact: Artifact, private val outputs: RecordedOutputs) :
    ImageGenerator {
    override fun generate(latent: FloatArray, classWeights: FloatArray): Image {
        model.checkInputs(latent, classWeights)
        return model.decode(artifact, outputs.find(latent + classWeights))
    }

    override fun close() = Unit
}
