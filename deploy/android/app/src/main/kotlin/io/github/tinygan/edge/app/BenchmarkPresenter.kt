package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.EdgeException
import java.io.File
import kotlinx.coroutines.Job
import kotlinx.coroutines.withContext

/** Everything that the benchmark screen shows. */
data class BenchmarkState(
    val report: BenchmarkReport = BenchmarkReport(emptyMap()),
    val isRunning: Boolean = false,
    /** Where the results lie, when all are there. */
    val file: File? = null,
    /** Why there are none. */
    val error: Exception? = null
)

/** The benchmark screen's behaviour without its views. It outlives rotations; call it on the main thread. */
class BenchmarkPresenter(private val context: Context, private val services: Services) {
    private val scope = services.scope()
    private var screen: ((BenchmarkState) -> Unit)? = null
    private var running: Job? = null

    var state: BenchmarkState = BenchmarkState()
        private set(value) {
            field = value
            screen?.invoke(value)
        }

    /** Shows the state on a screen from now on. */
    fun attach(screen: (BenchmarkState) -> Unit) {
        this.screen = screen
        screen(state)
    }

    /** Reports nothing more to the screen. */
    fun detach() {
        screen = null
    }

    /** Measures; a run that goes on is cancelled. The file of an earlier run is removed at once. */
    fun run(request: BenchmarkRequest) {
        running?.cancel()
        state = BenchmarkState(isRunning = true)
        running = scope.start({ state = state.copy(isRunning = false, error = it) }) { measure(request) }
    }

    /** Stops measuring; no file is written. */
    fun cancel() {
        running?.cancel()
        state = state.copy(isRunning = false)
    }

    private suspend fun measure(request: BenchmarkRequest) {
        try {
            val catalog = withContext(services.inference) {
                BenchmarkReport.file(context).delete()
                services.studio.release() // its memory would count
                services.store.catalog()
            }
            state = state.copy(report = BenchmarkReport(catalog.manifest.model.sha256))
            Benchmark(context, services, catalog, request).run().collect { measured ->
                state = state.copy(report = state.report + measured)
            }
        } catch (error: EdgeException) { // whoever waits for the file learns of it there
            state = state.copy(report = state.report + BenchmarkFailure(request.artifact.orEmpty(), error))
        }
        val report = state.report
        val file = withContext(services.inference) { report.write(context, services.processor) }
        state = state.copy(isRunning = false, file = file)
    }
}
