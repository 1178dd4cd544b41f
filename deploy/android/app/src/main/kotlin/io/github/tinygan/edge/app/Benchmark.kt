package io.github.tinygan.edge.app

import android.content.Context
import android.content.Intent
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.LatencyStatistics
import io.github.tinygan.edge.core.LowMemoryException
import io.github.tinygan.edge.core.MissingFileException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn

/** What is to be measured; `adb shell am start` gives it as extras of the same names. */
data class BenchmarkRequest(
    /** File of the model; null: every model that this build can run. */
    val artifact: String? = null,
    /** Null: one thread, and as many as there are big cores. */
    val threads: Int? = null,
    val warmup: Int = WARMUP,
    val rounds: Int = ROUNDS,
    /** Whether the GPU is measured too; what asks for one file mostly waits for one row. */
    val withGpu: Boolean = true
) {
    /** Returns whether a model is to be measured. */
    fun asksFor(offer: Offer): Boolean =
        (artifact == null || offer.artifact.file == artifact) && (withGpu || !offer.runtime.isRisky)

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
            withGpu = intent.getBooleanExtra("gpu", !intent.hasExtra("artifact"))
        )
    }
}

/** What a run gives, one by one. */
sealed interface Measured

/** What one model did with one number of threads. */
data class BenchmarkRow(
    val offer: Offer,
    val threads: Int,
    /** Of the runtime alone: the file was on the phone, read and compared before. */
    val loadMilliseconds: Double,
    val firstRunMilliseconds: Double,
    val warmup: Int,
    val latency: LatencyStatistics,
    /** After the last image. */
    val conditions: Conditions,
    /** Of the whole process; null where the phone does not tell it. */
    val peakMemoryBytes: Long?
) : Measured

/** A model that could not be measured, and why. */
data class BenchmarkFailure(val artifact: String, val error: Exception) : Measured

/** Measures models on the inference thread. */
class Benchmark(
    private val context: Context,
    private val services: Services,
    private val catalog: Catalog,
    private val request: BenchmarkRequest
) {
    /** Measures everything that is asked for. After a model that fails the next one follows. */
    fun run(): Flow<Measured> = flow {
        val offers = catalog.offers.filter(request::asksFor)
        if (offers.isEmpty()) {
            val file = request.artifact.orEmpty()
            emit(BenchmarkFailure(file, MissingFileException(file)))
        }
        for (offer in offers) {
            val counts = if (offer.runtime.isRisky) listOf(1) else request.threadCounts(services.processor)
            for (threads in counts) emit(attempt(offer, threads))
        }
    }.flowOn(services.inference)

    private suspend fun attempt(offer: Offer, threads: Int): Measured = try {
        measure(offer, threads)
    } catch (error: CancellationException) {
        throw error
    } catch (error: OutOfMemoryError) {
        BenchmarkFailure(offer.artifact.file, LowMemoryException("measure", error))
    } catch (error: Exception) { // one model's failure must not end the others' rows
        BenchmarkFailure(offer.artifact.file, error)
    }

    private suspend fun measure(offer: Offer, threads: Int): BenchmarkRow {
        ProcessMemory.forgetPeak()
        // Copying and hashing happen before the clock starts: they are of the file, not of the model and its runtime.
        val prepared = services.store.prepare(catalog, offer, threads)
        val loaded = services.store.guarded(offer) { timed { prepared.load() } }
        return loaded.result.use { generator ->
            val first = services.store.guarded(offer) { timed { draw(generator, 0) } }
            if (!services.store.isVerified(offer)) services.store.verify(catalog, offer, generator)
            val times = ArrayList<Double>(request.rounds)
            for (round in 0 until request.warmup + request.rounds) {
                currentCoroutineContext().ensureActive()
                val drawn = timed { draw(generator, round) }
                if (round >= request.warmup) times.add(drawn.milliseconds)
            }
            BenchmarkRow(
                offer,
                threads,
                loaded.milliseconds,
                first.milliseconds,
                request.warmup,
                LatencyStatistics.of(times),
                Conditions.now(context),
                ProcessMemory.peakBytes()
            )
        }
    }

    // Everything that a user waits for: the latent, the model, the pixels.
    private fun draw(generator: ImageGenerator, round: Int) {
        val model = catalog.manifest.model
        val latent = model.latent(round.toULong(), catalog.manifest.truncation)
        generator.generate(latent, model.classWeights(model.drawable[round % model.drawable.size]))
    }
}
