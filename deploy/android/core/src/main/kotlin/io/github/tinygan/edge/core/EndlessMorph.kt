package io.github.tinygan.edge.core

/** The inputs of one image. */
class Inputs(val latent: FloatArray, val classWeights: FloatArray)

/**
 * A way through classes and seeds that never ends: stations, and images on the straight lines between them.
 *
 * Station k is the seed [seed] + k and a class that the same seed chooses, so that a seed always gives the same way.
 *
 * @param steps images from one station to the next, 1 or more.
 */
class EndlessMorph(
    private val model: Model,
    private val seed: ULong,
    private val truncation: Double,
    private val steps: Int
) {
    init {
        require(steps >= 1) { "$steps images lead nowhere" }
    }

    /** Returns the class of a station; two neighbours differ where there are two classes. */
    fun classAt(station: Long): Int {
        val classes = model.drawable
        val words = SplitMix64(seed xor STREAM)
        // A walk of steps that are no multiple of the number of classes never stands still.
        val stride = if (classes.size < 2) 0uL else 1uL + words.next() % (classes.size - 1).toULong()
        val start = words.next() % classes.size.toULong()
        val count = classes.size.toULong()
        return classes[((start + stride * (station.toULong() % count)) % count).toInt()]
    }

    /** Returns the inputs of image [index], 0 or more. */
    fun at(index: Long): Inputs = between(index / steps, index / steps + 1, index % steps)

    /**
     * Returns the inputs of a loop: the stations 0 to [stations] - 1, and back to the first.
     *
     * @return stations × steps images; the first follows the last.
     */
    fun loop(stations: Int): List<Inputs> = List(stations * steps) { index ->
        val station = (index / steps).toLong()
        between(station, (station + 1) % stations, (index % steps).toLong())
    }

    private fun between(from: Long, to: Long, step: Long): Inputs {
        val position = step / steps.toFloat()
        return Inputs(
            Morph.between(latent(from), latent(to), position),
            Morph.between(model.classWeights(classAt(from)), model.classWeights(classAt(to)), position)
        )
    }

    private fun latent(station: Long) = model.latent(seed + station.toULong(), truncation)

    private companion object {
        /** Keeps the walk through the classes apart from the latents of the same seed. */
        const val STREAM = 0x6D6F727068uL
    }
}
