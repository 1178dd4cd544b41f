package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.executorch.ExecutorchGenerator
import io.github.tinygan.edge.litert.LiteRtGenerator

/** A library that runs models. */
interface ModelRuntime {
    /** Its name for the user; names of products are not translated. */
    val label: String

    /** Returns whether it runs artifacts of this kind. */
    fun runs(artifact: Artifact): Boolean

    /**
     * Loads a model; called on the worker.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing, wrong, or refused.
     */
    fun open(manifest: Manifest, artifact: Artifact, threads: Int): ImageGenerator
}

/** ExecuTorch with XNNPACK. */
class ExecutorchRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "ExecuTorch"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.EXECUTORCH && artifact.backend == ExecutorchGenerator.BACKEND

    override fun open(manifest: Manifest, artifact: Artifact, threads: Int): ImageGenerator =
        ExecutorchGenerator.open(context, manifest, artifact, threads)
}

/** LiteRT with XNNPACK. */
class LiteRtRuntime(private val context: Context) : ModelRuntime {
    override val label: String = "LiteRT"

    override fun runs(artifact: Artifact): Boolean =
        artifact.runtime == Artifact.TFLITE && artifact.backend == LiteRtGenerator.BACKEND

    override fun open(manifest: Manifest, artifact: Artifact, threads: Int): ImageGenerator =
        LiteRtGenerator.open(context, manifest, artifact, threads)
}
