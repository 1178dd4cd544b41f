package io.github.tinygan.edge.litert

import android.content.Context
import android.os.Build
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.BufferedGenerator
import io.github.tinygan.edge.core.ElementType
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.Model
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.ModelMismatchException
import io.github.tinygan.edge.core.NativeLibraryException
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.core.RuntimeAdapter
import io.github.tinygan.edge.core.TensorSpec
import io.github.tinygan.edge.core.decode
import io.github.tinygan.edge.core.directBuffer
import java.io.File
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.FloatBuffer

/** The name of the runtime in errors. */
internal const val RUNTIME = "LiteRT"

private val adapter = RuntimeAdapter(RUNTIME, Artifact.TFLITE, LiteRtGenerator.BACKEND) {
    Build.SUPPORTED_ABIS.joinToString()
}

/** Draws images with a TFLite model (`.tflite`) and LiteRT's XNNPACK kernels. Open one with [open]. */
class LiteRtGenerator private constructor(model: Model, artifact: Artifact, private val runner: SignatureRunner) :
    BufferedGenerator(model, artifact) {
    private val named: Map<String, Buffer> = artifact.inputs.map { it.name }.zip(inputs).toMap()
    private val output = artifact.output
    private val bytes: ByteBuffer = output.directBuffer()
    private val floats: FloatBuffer = bytes.asFloatBuffer()

    override fun draw(): Image = when (output.type) {
        ElementType.FLOAT32 -> {
            run(floats)
            model.decode(artifact, FloatArray(output.size).also { floats.get(it) })
        }

        ElementType.UINT8 -> {
            run(bytes)
            model.decode(artifact, ByteArray(output.size).also { bytes.get(it) })
        }
    }

    override fun free() = runner.close()

    // A plain Buffer, because FloatBuffer.rewind() is younger than Android 7.
    private fun run(image: Buffer) {
        image.rewind()
        adapter.run(artifact) { runner.run(named, mapOf(output.name to image)) }
        image.rewind()
    }

    companion object {
        /** The backend of the artifacts that this adapter runs. */
        const val BACKEND: String = "litert"

        /**
         * Loads a model: [prepare], and the model's load.
         *
         * @throws NativeLibraryException if LiteRT has no library for this processor.
         * @throws ModelLoadException if LiteRT refuses the model.
         * @throws ModelMismatchException if its inputs or outputs are not those of the manifest.
         */
        fun open(
            context: Context,
            manifest: Manifest,
            artifact: Artifact = manifest.preferred(Artifact.TFLITE, BACKEND),
            threads: Int = 1,
            folder: File? = null,
            loader: RunnerLoader = NativeRunners
        ): LiteRtGenerator = prepare(context, manifest, artifact, threads, folder, loader).load()

        /**
         * Makes a model ready to be loaded.
         *
         * In the app's assets it must lie uncompressed: it is mapped, not copied. Its hash must be the manifest's.
         *
         * @param threads how many to compute with, 1 or more.
         * @param folder on the phone that holds the files of the manifest; null: the app's assets.
         * @param loader loads the model: on the processor, or [GpuRunners]; tests give their own.
         * @throws io.github.tinygan.edge.core.MissingFileException if the app does not hold the file.
         * @throws io.github.tinygan.edge.core.CorruptFileException if it is not the one of the manifest.
         * @throws ModelLoadException if it is for another runtime, compressed, or cannot be read.
         */
        fun prepare(
            context: Context,
            manifest: Manifest,
            artifact: Artifact,
            threads: Int,
            folder: File? = null,
            loader: RunnerLoader = NativeRunners
        ): PreparedModel<LiteRtGenerator> {
            adapter.check(artifact, threads)
            val file = context.map(artifact, folder)
            return PreparedModel {
                val runner = adapter.load(artifact) { loader.load(file, threads) }
                try {
                    checkTensors(artifact, runner)
                } catch (error: ModelMismatchException) {
                    runner.close()
                    throw error
                }
                LiteRtGenerator(manifest.model, artifact, runner)
            }
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
    }
}
