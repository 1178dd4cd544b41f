package io.github.tinygan.edge.app

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.text.format.Formatter
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView

/**
 * Measures the models on this phone, shows the results, and writes them to `benchmark.json` for a computer.
 *
 * It runs as soon as it is started; see [BenchmarkRequest] for the extras.
 */
class BenchmarkActivity : Activity() {
    private lateinit var presenter: BenchmarkPresenter
    private var request = BenchmarkRequest()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_benchmark)
        SystemBars.pad(view(R.id.root))
        setActionBar(view(R.id.toolbar))
        actionBar?.setDisplayHomeAsUpEnabled(true)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        request = BenchmarkRequest.of(intent)
        val kept = lastNonConfigurationInstance as? BenchmarkPresenter
        presenter = kept ?: BenchmarkPresenter(applicationContext, (application as EdgeApplication).services)
        view<Button>(R.id.benchmark_run).setOnClickListener { presenter.run(request) }
        view<Button>(R.id.benchmark_cancel).setOnClickListener { presenter.cancel() }
        // A process that ended does not measure again by itself.
        if (kept == null && savedInstanceState == null) presenter.run(request)
        presenter.attach(::render)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        request = BenchmarkRequest.of(intent)
        presenter.run(request)
    }

    // The framework's own way to keep an object over a rotation: there is no view model without androidx.
    override fun onRetainNonConfigurationInstance(): Any = presenter

    override fun onDestroy() {
        presenter.detach()
        if (isFinishing) presenter.cancel()
        super.onDestroy()
    }

    private fun render(state: BenchmarkState) {
        val rows = state.report.rows
        val failures = state.report.failures
        val table = view<LinearLayout>(R.id.benchmark_table)
        table.removeAllViews()
        for (row in rows) table.addView(rowView(row))
        view<TextView>(R.id.benchmark_status).text = when {
            state.isRunning -> getString(R.string.benchmark_running)
            state.file != null -> getString(R.string.benchmark_written, state.file.path)
            else -> getString(R.string.benchmark_stopped)
        }
        val sentences = (listOfNotNull(state.error) + failures.map { it.error }).map(::sentence).distinct()
        view<TextView>(R.id.benchmark_error).apply {
            text = sentences.joinToString("\n")
            visibility = if (sentences.isEmpty()) View.GONE else View.VISIBLE
        }
        view<View>(R.id.benchmark_progress).visibility = if (state.isRunning) View.VISIBLE else View.INVISIBLE
        view<Button>(R.id.benchmark_run).isEnabled = !state.isRunning
        view<Button>(R.id.benchmark_cancel).isEnabled = state.isRunning
    }

    private fun rowView(row: BenchmarkRow): View {
        val card = layoutInflater.inflate(R.layout.row_benchmark, view<LinearLayout>(R.id.benchmark_table), false)
        val threads = resources.getQuantityString(R.plurals.threads, row.threads, row.threads)
        val latency = row.latency
        val artifact = row.offer.artifact
        card.findIn<TextView>(R.id.row_title).text =
            getString(R.string.benchmark_row_title, row.offer.runtime.label, artifact.precision, threads)
        card.findIn<TextView>(R.id.row_latency).text =
            getString(R.string.benchmark_row_latency, latency.p50, latency.p90)
        val memory = row.peakMemoryBytes?.let { Formatter.formatShortFileSize(this, it) }
        card.findIn<TextView>(R.id.row_details).text = getString(
            R.string.benchmark_row_details,
            row.loadMilliseconds,
            row.firstRunMilliseconds,
            memory ?: getString(R.string.benchmark_unknown),
            latency.n
        )
        return card
    }
}
