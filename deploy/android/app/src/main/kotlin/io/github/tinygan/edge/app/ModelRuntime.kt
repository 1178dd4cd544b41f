package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.executorch.ExecutorchGenerator
import io.github.tinygan.edge.litert.GpuRunners
import io.github.tinygan.edge.litert.LiteRtGenerator
import java.io.File

/** A library that runs models. */
interface ModelRuntime {
    /** Its name for the user; names of products are not translated. */
    val label: String

    /** Tells it from another one that runs the same file; empty for the usual one. */
    val unit: String get() = ""

    /** Whether a driver may end the process; then it is tried behind a [CrashGuard], and another one stands in. */
    val isRisky: Boolean get() = false

    /** Returns whether it runs artifacts of this kind. */
    fun runs(artifact: Artifact): Boolean

    /**
     * Finds a model's file and makes it ready to be loaded; this and the load are called on the inference thread.
     *
     * @param folder that holds the files of the manifest; null: the app's assets.
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing or wrong.
     */
    fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?): PreparedModel<ImageGenerator>
}

/** ExecuTorch with XNNPACK. */
class ExecutorchRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "ExecuTorch"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.EXECUTORCH && artifact.backend == ExecutorchGenerator.BACKEND

    override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?) =
        ExecutorchGenerator.prepare(context, manifest, artifact, threads, folder)
}

/** LiteRT with XNNPACK. */
class LiteRtRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "LiteRT"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.TFLITE && artifact.backend == LiteRtGenerator.BACKEND

    override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?) =
        LiteRtGenerator.prepare(context, manifest, artifact, threads, folder)
}

/** LiteRT on the phone's GPU: float files. */
class LiteRtGpuRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "LiteRT GPU"
    override val unit: String = "gpu"
    override val isRisky: Boolean = true

    override fun runs(artifact: Artifact): Boolean = artifact.runtime == Artifact.TFLITE &&
        artifact.backend == LiteRtGenerator.BACKEND && artifact.precision in FLOATS

    override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?) =
        LiteRtGenerator.prepare(context, manifest, artifact, threads, folder, GpuRunners(artifact))

    private companion object {
        val FLOATS = listOf("fp32", "fp16")
    }
}
