package io.github.tinygan.edge.app

import android.content.Intent
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.LatencyStatistics
import io.github.tinygan.edge.core.LowMemoryException
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.TruncatedNormal

/** What is to be measured; `adb shell am start` gives it as extras of the same names. */
data class BenchmarkRequest(
    /** File of the model; null: every model that this build can run. */
    val artifact: String? = null,
    /** Null: one thread, and as many as there are big cores. */
    val threads: Int? = null,
    val warmup: Int = WARMUP,
    val rounds: Int = ROUNDS,
) {
    /** Returns the thread counts to measure with, none above the number of cores. */
    fun threadCounts(processor: Processor): List<Int> =
        threads?.let { listOf(it.coerceAtMost(processor.cores)) } ?: listOf(1, processor.bigCores).distinct()

    companion object {
        const val WARMUP: Int = 5
        const val ROUNDS: Int = 50
        private const val MOST = 100_000

        /** Reads a request; numbers outside their range become the nearest inside. */
        fun of(intent: Intent): BenchmarkRequest = BenchmarkRequest(
            artifact = intent.getStringExtra("artifact"),
            threads = intent.getIntExtra("threads", 0).takeIf { it > 0 },
            warmup = intent.getIntExtra("warmup", WARMUP).coerceIn(0, MOST),
            rounds = intent.getIntExtra("rounds", ROUNDS).coerceIn(1, MOST),
        )
    }
}

/** What one model did with one number of threads. */
data class BenchmarkRow(
    val offer: Offer,
    val threads: Int,
    /** Of the runtime alone: the file was on the phone, read and compared before. */
    val loadMilliseconds: Double,
    val firstRunMilliseconds: Double,
    val warmup: Int,
    val latency: LatencyStatistics,
    /** Of the whole process; null where the phone does not tell it. */
    val peakMemoryBytes: Long?,
)

/** A model that could not be measured, and why. */
data class BenchmarkFailure(val artifact: String, val error: Exception)

/** Measures models. Call it on the worker. */
class Benchmark(private val services: Services, private val catalog: Catalog, private val request: BenchmarkRequest) {
    /** What one run gives, in its order. */
    interface Listener {
        val isCancelled: Boolean

        fun measured(row: BenchmarkRow)

        fun failed(failure: BenchmarkFailure)
    }

    /** Measures everything that is asked for. A model that fails is told to [listener], and the next one follows. */
    fun run(listener: Listener) {
        val offers = catalog.offers.filter { request.artifact == null || it.artifact.file == request.artifact }
        if (offers.isEmpty()) {
            val file = request.artifact.orEmpty()
            listener.failed(BenchmarkFailure(file, MissingFileException(file)))
        }
        for (offer in offers) {
            for (threads in request.threadCounts(services.processor)) {
                if (listener.isCancelled) return
                try {
                    measure(offer, threads, listener)?.let(listener::measured)
                } catch (error: OutOfMemoryError) {
                    listener.failed(BenchmarkFailure(offer.artifact.file, LowMemoryException("measure", error)))
                } catch (error: Exception) { // one model's failure must not end the others' rows
                    listener.failed(BenchmarkFailure(offer.artifact.file, error))
                }
            }
        }
    }

    private fun measure(offer: Offer, threads: Int, listener: Listener): BenchmarkRow? {
        ProcessMemory.forgetPeak()
        // Copying and hashing happen before the clock starts: they are of the file, not of the model and its runtime.
        val prepared = services.store.prepare(catalog, offer, threads)
        val (loaded, loadTime) = timed { prepared.load() }
        return loaded.use { generator ->
            val (_, firstTime) = timed { draw(generator, 0) }
            services.store.verify(catalog, generator)
            val times = ArrayList<Double>(request.rounds)
            for (round in 0 until request.warmup + request.rounds) {
                if (listener.isCancelled) return null
                val (_, time) = timed { draw(generator, round) }
                if (round >= request.warmup) times.add(time / NANOSECONDS_PER_MILLISECOND)
            }
            BenchmarkRow(
                offer,
                threads,
                loadTime / NANOSECONDS_PER_MILLISECOND,
                firstTime / NANOSECONDS_PER_MILLISECOND,
                request.warmup,
                LatencyStatistics.of(times),
                ProcessMemory.peakBytes(),
            )
        }
    }

    // Everything that a user waits for: the latent, the model, the pixels.
    private fun draw(generator: ImageGenerator, round: Int) {
        val model = catalog.manifest.model
        val latent = TruncatedNormal.latent(round.toULong(), model.zDim, catalog.manifest.truncation)
        generator.generate(latent, model.classWeights(model.drawable[round % model.drawable.size]))
    }
}
