package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.executorch.ExecutorchGenerator
import io.github.tinygan.edge.litert.LiteRtGenerator

/** A library that runs models. */
interface ModelRuntime {
    /** Its name for the user; names of products are not translated. */
    val label: String

    /** Returns whether it runs artifacts of this kind. */
    fun runs(artifact: Artifact): Boolean

    /**
     * Finds a model's file and makes it ready to be loaded; this and the load are called on the worker.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing or wrong.
     */
    fun prepare(manifest: Manifest, artifact: Artifact, threads: Int): PreparedModel<ImageGenerator>
}

/** ExecuTorch with XNNPACK. */
class ExecutorchRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "ExecuTorch"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.EXECUTORCH && artifact.backend == ExecutorchGenerator.BACKEND

    override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int): PreparedModel<ImageGenerator> =
        ExecutorchGenerator.prepare(context, manifest, artifact, threads)
}

/** LiteRT with XNNPACK. */
class LiteRtRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "LiteRT"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.TFLITE && artifact.backend == LiteRtGenerator.BACKEND

    override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int): PreparedModel<ImageGenerator> =
        LiteRtGenerator.prepare(context, manifest, artifact, threads)
}
