package io.github.tinygan.edge.core

import java.io.Closeable
import kotlin.coroutines.CoroutineContext
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * A generator for coroutines: it loads and draws on threads of its own, one image at a time.
 *
 * A coroutine that is cancelled while it waits draws nothing; an image that has begun is drawn to its end and dropped.
 * Open one with [open].
 */
class SuspendingGenerator private constructor(
    private val manifest: Manifest,
    private val generator: ImageGenerator,
    private val context: CoroutineContext
) : Closeable {
    val model: Model get() = generator.model

    /** The file that draws. */
    val artifact: Artifact get() = generator.artifact

    /**
     * Draws the image of a seed and a class.
     *
     * @param truncation factor of the latent, in (0, 1].
     * @throws UnknownClassException if the class cannot be drawn.
     * @throws EdgeException what [ImageGenerator.generate] throws.
     */
    suspend fun draw(seed: ULong, classIndex: Int, truncation: Double = manifest.truncation): Image =
        generate(model.latent(seed, truncation), model.classWeights(classIndex))

    /** Draws an image; see [ImageGenerator.generate]. */
    suspend fun generate(latent: FloatArray, classWeights: FloatArray): Image =
        withContext(context) { generator.generate(latent, classWeights) }

    /** Frees the model, after the image that is being drawn: it may wait as long as one takes. */
    override fun close() = generator.close()

    companion object {
        /**
         * Loads a model.
         *
         * @param dispatcher runs the load and every image.
         * @param load opens the model: `ExecutorchGenerator.open(context, it)`.
         * @throws EdgeException what [load] throws.
         */
        suspend fun open(
            manifest: Manifest,
            dispatcher: CoroutineDispatcher = Dispatchers.Default.limitedParallelism(1),
            load: (Manifest) -> ImageGenerator
        ): SuspendingGenerator = SuspendingGenerator(manifest, withContext(dispatcher) { load(manifest) }, dispatcher)
    }
}
