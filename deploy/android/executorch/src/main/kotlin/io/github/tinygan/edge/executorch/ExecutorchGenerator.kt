package io.github.tinygan.edge.executorch

import android.content.Context
import android.os.Build
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ElementType
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.InferenceException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.Model
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.ModelMismatchException
import io.github.tinygan.edge.core.NativeLibraryException
import io.github.tinygan.edge.core.checkInputs
import io.github.tinygan.edge.core.decode
import java.nio.Buffer
import java.nio.FloatBuffer
import org.pytorch.executorch.DType
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor

/** The name of the runtime in errors. */
internal const val RUNTIME = "ExecuTorch"

/** Draws images with an ExecuTorch program (`.pte`) and its XNNPACK backend. Open one with [open]. */
class ExecutorchGenerator private constructor(
    override val model: Model,
    override val artifact: Artifact,
    private val program: Program,
) : ImageGenerator {
    private val buffers: List<FloatBuffer> = artifact.inputs.map { Tensor.allocateFloatBuffer(it.size) }
    private val inputs: Array<EValue> = Array(buffers.size) { index ->
        EValue.from(Tensor.fromBlob(buffers[index], artifact.inputs[index].longShape()))
    }
    private var closed = false

    override fun generate(latent: FloatArray, classWeights: FloatArray): Image {
        check(!closed) { "the generator is closed" }
        model.checkInputs(latent, classWeights)
        for ((buffer, values) in buffers.zip(listOf(latent, classWeights))) {
            rewind(buffer)
            buffer.put(values)
            rewind(buffer)
        }
        val output = try {
            program.forward(inputs)
        } catch (error: RuntimeException) {
            throw InferenceException(RUNTIME, artifact.file, error.message ?: error.toString(), error)
        }
        return decode(output)
    }

    override fun close() {
        if (closed) return
        closed = true
        program.close()
    }

    private fun decode(output: Array<EValue>): Image {
        val value = output.singleOrNull() ?: refuse("it has ${output.size} outputs, not one")
        val tensor = try {
            value.toTensor()
        } catch (_: IllegalStateException) {
            refuse("its output is no tensor")
        }
        val expected = artifact.output
        if (!tensor.shape().contentEquals(expected.longShape())) {
            refuse("its output is ${tensor.shape().contentToString()}, not ${expected.shape}")
        }
        return when {
            tensor.dtype() == DType.FLOAT && expected.type == ElementType.FLOAT32 ->
                model.decode(artifact, tensor.dataAsFloatArray)
            tensor.dtype() == DType.UINT8 && expected.type == ElementType.UINT8 ->
                model.decode(artifact, tensor.dataAsUnsignedByteArray)
            else -> refuse("its output is of ${tensor.dtype()}, not ${expected.type.label}")
        }
    }

    // FloatBuffer.rewind() is younger than Android 7; that of Buffer is not.
    private fun rewind(buffer: Buffer) {
        buffer.rewind()
    }

    private fun refuse(what: String): Nothing = throw ModelMismatchException(artifact.file, what)

    companion object {
        /** The backend of the artifacts that this adapter runs. */
        const val BACKEND: String = "xnnpack"

        /**
         * Loads a program from the app's assets.
         *
         * The program is copied to the app's files once, checked against the manifest's hash, and mapped. Its shapes
         * are compared with the manifest's at every image: ExecuTorch tells them no earlier.
         *
         * @param threads how many to compute with, 1 or more. All programs of a process share them, so close a generator
         *   before one with another number is opened, and see [NativePrograms] if the app loads programs of its own.
         * @param loader loads the program; tests give their own.
         * @throws io.github.tinygan.edge.core.MissingFileException if the app does not hold the file.
         * @throws io.github.tinygan.edge.core.CorruptFileException if it is not the one of the manifest.
         * @throws NativeLibraryException if ExecuTorch has no library for this processor.
         * @throws ModelLoadException if ExecuTorch refuses the program, or one with another number of threads is open.
         */
        fun open(
            context: Context,
            manifest: Manifest,
            artifact: Artifact = manifest.preferred(Artifact.EXECUTORCH, BACKEND),
            threads: Int = 1,
            loader: ProgramLoader = NativePrograms,
        ): ExecutorchGenerator {
            require(threads >= 1) { "$threads threads cannot compute" }
            if (artifact.runtime != Artifact.EXECUTORCH || artifact.backend != BACKEND) {
                val kind = "${artifact.runtime} with ${artifact.backend}"
                throw ModelLoadException(RUNTIME, artifact.file, "it is for $kind")
            }
            val file = ModelFiles(context).install(manifest, artifact)
            val program = try {
                loader.load(file.path, threads)
            } catch (error: LinkageError) {
                throw NativeLibraryException(RUNTIME, Build.SUPPORTED_ABIS.joinToString(), error)
            } catch (error: RuntimeException) {
                throw ModelLoadException(RUNTIME, artifact.file, error.message ?: error.toString(), error)
            }
            return ExecutorchGenerator(manifest.model, artifact, program)
        }
    }
}
