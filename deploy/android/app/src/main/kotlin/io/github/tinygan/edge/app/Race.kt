package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.ImageGenerator
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn

/** A model in the race. */
data class Lane(
    val offer: Offer,
    val images: Int = 0,
    /** Spent on those images: latent, model and pixels. */
    val milliseconds: Double = 0.0,
    val latest: Image? = null,
    /** Why it is out. */
    val error: Exception? = null
) {
    /** Images a second; null before the first. */
    val rate: Double? get() = if (images == 0) null else images * MILLISECONDS / milliseconds

    private companion object {
        const val MILLISECONDS = 1000.0
    }
}

/**
 * Lets all models of a catalog draw the same images.
 *
 * They take turns: two at once would fight for the same cores and memory, and neither would show what it can.
 *
 * @param turns of each lane.
 * @param turnMilliseconds how long a turn is.
 */
class Race(
    private val services: Services,
    private val catalog: Catalog,
    private val turns: Int = TURNS,
    private val turnMilliseconds: Double = TURN_MILLISECONDS
) {
    private val threads = services.processor.bigCores

    /** Runs on the inference thread and gives all lanes after every turn. */
    fun run(): Flow<List<Lane>> = flow {
        services.studio.release() // its memory would count
        val lanes = catalog.offers.map(::Lane).toMutableList()
        val generators = arrayOfNulls<ImageGenerator>(lanes.size)
        try {
            for (index in lanes.indices) {
                lanes[index] = attempt(lanes[index]) { lane ->
                    val generator = services.store.open(catalog, lane.offer, threads)
                    generators[index] = generator
                    draw(generator, 0) // with cold caches: it does not count
                    lane
                }
                emit(lanes.toList())
            }
            repeat(turns) {
                for ((index, generator) in generators.withIndex()) {
                    if (generator == null || lanes[index].error != null) continue
                    lanes[index] = attempt(lanes[index]) { lane -> turn(lane, generator) }
                    emit(lanes.toList())
                }
            }
        } finally {
            for (generator in generators) generator?.close()
        }
    }.flowOn(services.inference)

    private suspend fun attempt(lane: Lane, work: suspend (Lane) -> Lane): Lane = try {
        work(lane)
    } catch (error: CancellationException) {
        throw error
    } catch (error: Exception) { // one lane that fails must not end the others'
        lane.copy(error = error)
    }

    private suspend fun turn(lane: Lane, generator: ImageGenerator): Lane {
        var next = lane
        val end = lane.milliseconds + turnMilliseconds
        do {
            currentCoroutineContext().ensureActive()
            val drawn = timed { draw(generator, next.images) }
            next = next.copy(
                images = next.images + 1,
                milliseconds = next.milliseconds + drawn.milliseconds,
                latest = drawn.result
            )
        } while (next.milliseconds < end)
        return next
    }

    private fun draw(generator: ImageGenerator, number: Int): Image {
        val model = catalog.manifest.model
        val seed = (number % IMAGES).toULong()
        val latent = model.latent(seed, catalog.manifest.truncation)
        return generator.generate(latent, model.classWeights(model.drawable[number % IMAGES % model.drawable.size]))
    }

    companion object {
        const val TURNS: Int = 16
        const val TURN_MILLISECONDS: Double = 250.0

        /** Different images; then they come again. */
        private const val IMAGES = 16
    }
}
