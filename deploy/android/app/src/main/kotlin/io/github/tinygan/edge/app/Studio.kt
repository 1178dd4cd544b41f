package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.ImageGenerator

/** Keeps the model that was used last, so that the next images need not wait for it. */
class Studio(private val store: ModelStore, private val worker: Worker) {
    private class Opened(val file: String, val threads: Int, val generator: ImageGenerator)

    private var opened: Opened? = null

    /** Returns whether [generator] need not load anything. Call it on the worker. */
    fun holds(offer: Offer, threads: Int): Boolean =
        opened?.let { it.file == offer.artifact.file && it.threads == threads } ?: false

    /**
     * Returns a model that drew its golden image right. Call it on the worker.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing, wrong, or refused.
     */
    fun generator(catalog: Catalog, offer: Offer, threads: Int): ImageGenerator {
        opened?.let { if (holds(offer, threads)) return it.generator }
        release() // before the next one is loaded: there may be memory for one only
        val generator = store.prepare(catalog, offer, threads).load()
        try {
            store.verify(catalog, generator)
        } catch (error: Throwable) {
            generator.close()
            throw error
        }
        opened = Opened(offer.artifact.file, threads, generator)
        return generator
    }

    /** Frees the model. Call it on the worker. */
    fun release() {
        opened?.generator?.close()
        opened = null
    }

    /** Frees the model after the work that was started before. Call it on the main thread. */
    fun releaseSoon() {
        worker.start({ release() }, failed = {})
    }
}
