package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.EdgeException
import java.io.File

/** Everything that the benchmark screen shows. */
data class BenchmarkState(
    val report: BenchmarkReport = BenchmarkReport(emptyMap()),
    val isRunning: Boolean = false,
    /** Where the results lie, when all are there. */
    val file: File? = null,
    /** Why there are none. */
    val error: Exception? = null,
)

/** The benchmark screen's behaviour without its views. It outlives rotations; call it on the main thread. */
class BenchmarkPresenter(private val context: Context, private val services: Services) {
    private var screen: ((BenchmarkState) -> Unit)? = null
    private var running: Task? = null

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
        running = services.worker.start({ measure(it, request) }) { error ->
            state = state.copy(isRunning = false, error = error)
        }
    }

    /** Stops measuring; no file is written. */
    fun cancel() {
        running?.cancel()
        state = state.copy(isRunning = false)
    }

    private fun measure(task: Task, request: BenchmarkRequest) {
        BenchmarkReport.file(context).delete()
        services.studio.release() // its memory would count
        val collector = Collector(task) { report -> state = state.copy(report = report) }
        try {
            val catalog = services.store.catalog()
            collector.begin(catalog.manifest.model.sha256)
            Benchmark(services, catalog, request).run(collector)
        } catch (error: EdgeException) { // whoever waits for the file learns of it there
            collector.failed(BenchmarkFailure(request.artifact.orEmpty(), error))
        }
        if (task.isCancelled) return
        val file = collector.report.write(context, services.processor)
        task.report { state = state.copy(isRunning = false, file = file) }
    }
}

/** Gathers what a run gives, on the worker, and tells the main thread of each change. */
private class Collector(private val task: Task, private val changed: (BenchmarkReport) -> Unit) : Benchmark.Listener {
    var report = BenchmarkReport(emptyMap())
        private set(value) {
            field = value
            task.report { changed(value) }
        }

    override val isCancelled: Boolean get() = task.isCancelled

    fun begin(modelHashes: Map<String, String>) {
        report = report.copy(modelHashes = modelHashes)
    }

    override fun measured(row: BenchmarkRow) {
        report = report.copy(rows = report.rows + row)
    }

    override fun failed(failure: BenchmarkFailure) {
        report = report.copy(failures = report.failures + failure)
    }
}
