package io.github.tinygan.edge.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * A generator whose inputs go through buffers that are direct, of native byte order, and reused for every image.
 *
 * One lock holds all of it: the buffers are one image's, and a runtime must not lose its model while it draws. It is a
 * fair one, so that no later image overtakes who closes.
 */
abstract class BufferedGenerator(final override val model: Model, final override val artifact: Artifact) :
    ImageGenerator {
    /** One for each input of the artifact, in its order; filled and rewound when [draw] is called. */
    protected val inputs: List<FloatBuffer> = artifact.inputs.map { it.directBuffer().asFloatBuffer() }
    private val lock = ReentrantLock(true)
    private var closed = false

    final override fun generate(latent: FloatArray, classWeights: FloatArray): Image = lock.withLock {
        check(!closed) { "the generator is closed" }
        model.checkInputs(latent, classWeights)
        for ((buffer, values) in inputs.zip(listOf(latent, classWeights))) {
            buffer.rewind()
            buffer.put(values)
            buffer.rewind()
        }
        draw()
    }

    final override fun close() = lock.withLock {
        if (!closed) {
            closed = true
            free()
        }
    }

    /** Draws what [inputs] ask for; see [generate] for what it throws. */
    protected abstract fun draw(): Image

    /** Frees the model; called once. */
    protected abstract fun free()
}

/** Returns a buffer for this tensor's values: direct and of native byte order. */
fun TensorSpec.directBuffer(): ByteBuffer = ByteBuffer.allocateDirect(size * type.bytes).order(ByteOrder.nativeOrder())
