package io.github.tinygan.edge.litert

import io.github.tinygan.edge.core.ElementType
import io.github.tinygan.edge.core.TensorSpec
import java.io.Closeable
import java.nio.Buffer
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor

/** What the adapter needs of a TFLite model that is loaded: its one signature. */
interface SignatureRunner : Closeable {
    val inputs: List<TensorSpec>
    val outputs: List<TensorSpec>

    /** Runs the model; the buffers are direct, of native byte order, and rewound, by the tensors' names. */
    fun run(inputs: Map<String, Buffer>, outputs: Map<String, Buffer>)
}

/** Loads models. */
fun interface RunnerLoader {
    /**
     * Loads a model.
     *
     * @param model whose content must stay as it is until the runner is closed.
     * @param threads how many XNNPACK computes with.
     * @throws LinkageError if there is no native library for this processor.
     * @throws RuntimeException if the model is refused.
     */
    fun load(model: ModelFile, threads: Int): SignatureRunner
}

/** Loads models with LiteRT itself, on XNNPACK. */
object NativeRunners : RunnerLoader {
    override fun load(model: ModelFile, threads: Int): SignatureRunner {
        val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(true)
        val interpreter = Interpreter(model.content, options)
        try {
            interpreter.allocateTensors()
            return NativeRunner(interpreter)
        } catch (error: RuntimeException) {
            interpreter.close()
            throw error
        }
    }
}

private class NativeRunner(private val interpreter: Interpreter) : SignatureRunner {
    private val signature: String = interpreter.signatureKeys.let { keys ->
        keys.singleOrNull() ?: throw IllegalArgumentException("it has ${keys.size} signatures, not one")
    }
    override val inputs: List<TensorSpec> = interpreter.getSignatureInputs(signature).map { name ->
        spec(name, interpreter.getInputTensorFromSignature(name, signature))
    }
    override val outputs: List<TensorSpec> = interpreter.getSignatureOutputs(signature).map { name ->
        spec(name, interpreter.getOutputTensorFromSignature(name, signature))
    }

    override fun run(inputs: Map<String, Buffer>, outputs: Map<String, Buffer>) =
        interpreter.runSignature(inputs, outputs, signature)

    override fun close() = interpreter.close()

    private fun spec(name: String, tensor: Tensor): TensorSpec {
        val type = when (tensor.dataType()) {
            DataType.FLOAT32 -> ElementType.FLOAT32
            DataType.UINT8 -> ElementType.UINT8
            else -> throw IllegalArgumentException("$name is of type ${tensor.dataType()}")
        }
        return TensorSpec(name, tensor.shape().toList(), type)
    }
}
