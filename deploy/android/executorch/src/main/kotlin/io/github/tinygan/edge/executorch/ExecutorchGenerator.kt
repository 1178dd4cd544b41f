package io.github.tinygan.edge.executorch

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
import io.github.tinygan.edge.core.decode
import java.io.File
import org.pytorch.executorch.DType
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor

/** The name of the runtime in errors. */
internal const val RUNTIME = "ExecuTorch"

private val adapter = RuntimeAdapter(RUNTIME, Artifact.EXECUTORCH, ExecutorchGenerator.BACKEND) {
    Build.SUPPORTED_ABIS.joinToString()
}

/** Draws images with an ExecuTorch program (`.pte`) and its XNNPACK backend. Open one with [open]. */
class ExecutorchGenerator private constructor(model: Model, artifact: Artifact, private val program: Program) :
    BufferedGenerator(model, artifact) {
    private val values: Array<EValue> = Array(inputs.size) { index ->
        EValue.from(Tensor.fromBlob(inputs[index], artifact.inputs[index].longShape()))
    }

    override fun draw(): Image = decode(adapter.run(artifact) { program.forward(values) })

    override fun free() = program.close()

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

    private fun refuse(what: String): Nothing = throw ModelMismatchException(artifact.file, what)

    companion object {
        /** The backend of the artifacts that this adapter runs. */
        const val BACKEND: String = "xnnpack"

        /**
         * Loads a program: [prepare], and the program's load.
         *
         * @throws NativeLibraryException if ExecuTorch has no library for this processor.
         * @throws ModelLoadException if ExecuTorch refuses the program, or one with another number of threads is open.
         */
        fun open(
            context: Context,
            manifest: Manifest,
            artifact: Artifact = manifest.preferred(Artifact.EXECUTORCH, BACKEND),
            threads: Int = 1,
            folder: File? = null,
            loader: ProgramLoader = NativePrograms
        ): ExecutorchGenerator = prepare(context, manifest, artifact, threads, folder, loader).load()

        /**
         * Makes a program ready to be loaded.
         *
         * An asset is copied to the app's files once, compared with the manifest's hash, and mapped when it is loaded.
         * Its shapes are compared with the manifest's at every image: ExecuTorch tells them no earlier.
         *
         * @param threads how many to compute with, 1 or more. All programs of a process share them, so close a
         *   generator before one with another number is opened, and see [NativePrograms] if the app loads programs of
         *   its own.
         * @param folder on the phone that holds the files of the manifest; null: the app's assets.
         * @param loader loads the program; tests give their own.
         * @throws io.github.tinygan.edge.core.MissingFileException if the app does not hold the file.
         * @throws io.github.tinygan.edge.core.CorruptFileException if it is not the one of the manifest.
         * @throws ModelLoadException if it is for another runtime or cannot be copied.
         */
        fun prepare(
            context: Context,
            manifest: Manifest,
            artifact: Artifact,
            threads: Int,
            folder: File? = null,
            loader: ProgramLoader = NativePrograms
        ): PreparedModel<ExecutorchGenerator> {
            adapter.check(artifact, threads)
            val file = ModelFiles(context, folder).install(manifest, artifact)
            return PreparedModel {
                val program = adapter.load(artifact) { loader.load(file.path, threads) }
                ExecutorchGenerator(manifest.model, artifact, program)
            }
        }
    }
}
