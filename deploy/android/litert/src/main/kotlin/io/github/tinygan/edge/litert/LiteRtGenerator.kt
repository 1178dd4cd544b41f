package io.github.tinygan.edge.litert

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
import io.github.tinygan.edge.core.TensorSpec
import io.github.tinygan.edge.core.checkInputs
import io.github.tinygan.edge.core.decode
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/** The name of the runtime in errors. */
internal const val RUNTIME = "LiteRT"

/** Draws images with a TFLite model (`.tflite`) and LiteRT's XNNPACK kernels. Open one with [open]. */
class LiteRtGenerator private constructor(
    override val model: Model,
    override val artifact: Artifact,
    private val runner: SignatureRunner,
) : ImageGenerator {
    private val inputs: Map<String, FloatBuffer> = artifact.inputs.associate { it.name to floats(it.size) }
    private val output = artifact.output
    private val bytes: ByteBuffer = direct(output.size * output.type.bytes)
    private val floats: FloatBuffer = bytes.asFloatBuffer()
    private var closed = false

    override fun generate(latent: FloatArray, classWeights: FloatArray): Image {
        check(!closed) { "the generator is closed" }
        model.checkInputs(latent, classWeights)
        for ((buffer, values) in inputs.values.zip(listOf(latent, classWeights))) {
            rewind(buffer)
            buffer.put(values)
            rewind(buffer)
        }
        return when (output.type) {
            ElementType.FLOAT32 -> {
                run(floats)
                model.decode(artifact, FloatArray(output.size).also { floats.get(it) })
            }
            ElementType.UINT8 -> {
                run(bytes)
                model.decode(artifact, ByteArray(output.size).also { bytes.get(it) })
            }
        }
    }

    override fun close() {
        if (closed) return
        closed = true
        runner.close()
    }

    private fun run(image: Buffer) {
        rewind(image)
        try {
            runner.run(inputs, mapOf(output.name to image))
        } catch (error: RuntimeException) {
            throw InferenceException(RUNTIME, artifact.file, error.message ?: error.toString(), error)
        }
        rewind(image)
    }

    // FloatBuffer.rewind() is younger than Android 7; that of Buffer is not.
    private fun rewind(buffer: Buffer) {
        buffer.rewind()
    }

    companion object {
        /** The backend of the artifacts that this adapter runs. */
        const val BACKEND: String = "litert"

        /**
         * Loads a model from the app's assets, where it must lie uncompressed: it is mapped, not copied.
         *
         * @param threads how many to compute with, 1 or more.
         * @param loader loads the model; tests give their own.
         * @throws io.github.tinygan.edge.core.MissingFileException if the app does not hold the file.
         * @throws io.github.tinygan.edge.core.CorruptFileException if it is not the one of the manifest.
         * @throws ModelMismatchException if its inputs or outputs are not those of the manifest.
         * @throws NativeLibraryException if LiteRT has no library for this processor.
         * @throws ModelLoadException if LiteRT refuses the model.
         */
        fun open(
            context: Context,
            manifest: Manifest,
            artifact: Artifact = manifest.preferred(Artifact.TFLITE, BACKEND),
            threads: Int = 1,
            loader: RunnerLoader = NativeRunners,
        ): LiteRtGenerator {
            require(threads >= 1) { "$threads threads cannot compute" }
            if (artifact.runtime != Artifact.TFLITE || artifact.backend != BACKEND) {
                val kind = "${artifact.runtime} with ${artifact.backend}"
                throw ModelLoadException(RUNTIME, artifact.file, "it is for $kind")
            }
            val runner = try {
                loader.load(context.assets.map(artifact), threads)
            } catch (error: LinkageError) {
                throw NativeLibraryException(RUNTIME, Build.SUPPORTED_ABIS.joinToString(), error)
            } catch (error: RuntimeException) {
                throw ModelLoadException(RUNTIME, artifact.file, error.message ?: error.toString(), error)
            }
            try {
                checkTensors(artifact, runner)
            } catch (error: ModelMismatchException) {
                runner.close()
                throw error
            }
            return LiteRtGenerator(manifest.model, artifact, runner)
        }

        private fun checkTensors(artifact: Artifact, runner: SignatureRunner) {
            fun compare(kind: String, found: List<TensorSpec>, expected: List<TensorSpec>) {
                if (found.toSet() != expected.toSet()) {
                    throw ModelMismatchException(artifact.file, "its $kind are $found, not $expected")
                }
            }
            compare("inputs", runner.inputs, artifact.inputs)
            compare("outputs", runner.outputs, listOf(artifact.output))
        }

        private fun floats(count: Int): FloatBuffer = direct(count * ElementType.FLOAT32.bytes).asFloatBuffer()

        private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
    }
}
