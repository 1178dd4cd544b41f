package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.ImageGenerator

/** Keeps the model that was used last, so that the next images need not wait. Call it on the inference thread. */
class Studio(private val store: ModelStore) {
    private class Opened(val offer: Offer, val threads: Int, val generator: ImageGenerator)

    private var opened: Opened? = null

    /** Returns whether [generator] need not load anything. */
    fun holds(offer: Offer, threads: Int): Boolean =
        opened?.let { it.offer.id == offer.id && it.threads == threads } ?: false

    /**
     * Returns a model that drew its golden image right.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing, wrong, or refused.
     */
    fun generator(catalog: Catalog, offer: Offer, threads: Int): ImageGenerator {
        opened?.let { if (holds(offer, threads)) return it.generator }
        release() // before the next one is loaded: there may be memory for one only
        val generator = store.open(catalog, offer, threads)
        opened = Opened(offer, threads, generator)
        return generator
    }

    /** Frees the model. */
    fun release() {
        opened?.generator?.close()
        opened = null
    }
}
