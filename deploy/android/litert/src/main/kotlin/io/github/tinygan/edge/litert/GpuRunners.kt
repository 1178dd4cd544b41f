package io.github.tinygan.edge.litert

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import com.google.ai.edge.litert.TensorType
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ElementType
import io.github.tinygan.edge.core.TensorSpec
import java.nio.Buffer
import java.nio.FloatBuffer

/**
 * Loads [artifact] with LiteRT's `CompiledModel` on the phone's GPU; float files alone.
 *
 * A driver may refuse a model, which is an exception, or end the process: let an app remember what it tried last. What
 * the GPU cannot compute, LiteRT computes on the processor.
 */
class GpuRunners(private val artifact: Artifact) : RunnerLoader {
    override fun load(model: ModelFile, threads: Int): SignatureRunner = compiling {
        val options = CompiledModel.Options(Accelerator.GPU, Accelerator.CPU)
        val assets = model.assets
        val compiled = if (assets == null) {
            CompiledModel.create(model.path, options)
        } else {
            CompiledModel.create(assets, model.path, options)
        }
        try {
            GpuRunner(compiled, artifact)
        } catch (error: LiteRtException) {
            compiled.close()
            throw error
        }
    }
}

private class GpuRunner(private val model: CompiledModel, artifact: Artifact) : SignatureRunner {
    private val buffers = HashMap<String, TensorBuffer>()
    override val inputs: List<TensorSpec> = artifact.inputs.map { input ->
        buffers[input.name] = model.createInputBuffer(input.name, SIGNATURE)
        spec(input.name, model.getInputTensorType(input.name, SIGNATURE))
    }
    override val outputs: List<TensorSpec> = artifact.output.name.let { name ->
        buffers[name] = model.createOutputBuffer(name, SIGNATURE)
        listOf(spec(name, model.getOutputTensorType(name, SIGNATURE)))
    }

    override fun run(inputs: Map<String, Buffer>, outputs: Map<String, Buffer>) = compiling {
        for ((name, values) in inputs) {
            val floats = values as FloatBuffer
            buffers.getValue(name).writeFloat(FloatArray(floats.remaining()).also { floats.get(it) })
        }
        model.run(buffers.filterKeys(inputs::containsKey), buffers.filterKeys(outputs::containsKey), SIGNATURE)
        for ((name, image) in outputs) (image as FloatBuffer).put(buffers.getValue(name).readFloat())
    }

    override fun close() {
        for (buffer in buffers.values) buffer.close()
        model.close()
    }

    private fun spec(name: String, type: TensorType): TensorSpec {
        require(type.elementType == TensorType.ElementType.FLOAT) { "$name is of type ${type.elementType}" }
        return TensorSpec(name, type.layout?.dimensions.orEmpty(), ElementType.FLOAT32)
    }
}

// The adapters know the failures of a runtime as RuntimeException; this one's are checked.
private inline fun <T> compiling(work: () -> T): T = try {
    work()
} catch (error: LiteRtException) {
    throw IllegalStateException(error.message, error)
}

/** The one signature of the files that the exporter writes. */
private const val SIGNATURE = "serving_default"
