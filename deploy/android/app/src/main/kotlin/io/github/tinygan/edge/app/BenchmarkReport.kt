package io.github.tinygan.edge.app

import android.content.Context
import android.content.pm.ApplicationInfo
import io.github.tinygan.edge.core.Json
import java.io.File
import java.io.IOException

/** Everything that one run measured. */
data class BenchmarkReport(
    /** Student → hash of its weights. */
    val modelHashes: Map<String, String>,
    val rows: List<BenchmarkRow> = emptyList(),
    val failures: List<BenchmarkFailure> = emptyList(),
) {
    /** Returns the content of the file. */
    fun toJson(context: Context, processor: Processor): Json.Object = Json.of(
        "format" to Json.of(FORMAT),
        "device" to Device.toJson(processor),
        "app" to appJson(context),
        "model_sha256" to Json.Object(modelHashes.mapValues { (_, hash) -> Json.of(hash) }),
        "rows" to Json.of(rows.map { it.toJson() }),
        "errors" to Json.of(
            failures.map { failure ->
                val message = failure.error.message ?: failure.error.toString()
                Json.of("artifact" to Json.of(failure.artifact), "message" to Json.of(message))
            },
        ),
    )

    /**
     * Writes the file whole: whoever pulls it never sees a part of it.
     *
     * @throws IOException if it cannot be written.
     */
    fun write(context: Context, processor: Processor): File {
        val file = file(context)
        val temporary = File.createTempFile(file.name, ".part", file.parentFile)
        try {
            temporary.writeText(toJson(context, processor).toString() + "\n")
            if (!temporary.renameTo(file)) throw IOException("no file $file")
        } finally {
            temporary.delete()
        }
        return file
    }

    companion object {
        const val FORMAT: String = "tinygan-edge-app-benchmark-1"
        const val FILE: String = "benchmark.json"

        /**
         * Returns where the file lies: in the app's folder on the phone's shared storage, which adb can read.
         *
         * @throws IOException if the phone has none at the moment.
         */
        fun file(context: Context): File =
            File(context.getExternalFilesDir(null) ?: throw IOException("the shared storage is not there"), FILE)

        private fun appJson(context: Context): Json.Object {
            val version = context.packageManager.getPackageInfo(context.packageName, 0).versionName
            val debuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
            return Json.of("version" to Json.of(version.orEmpty()), "debuggable" to Json.of(debuggable))
        }
    }
}

private fun BenchmarkRow.toJson(): Json.Object = Json.of(
    "artifact" to Json.of(offer.artifact.file),
    "runtime" to Json.of(offer.artifact.runtime),
    "backend" to Json.of(offer.artifact.backend),
    "precision" to Json.of(offer.artifact.precision),
    "sha256" to Json.of(offer.artifact.sha256),
    "threads" to Json.of(threads.toLong()),
    "load_ms" to Json.of(loadMilliseconds),
    "first_run_ms" to Json.of(firstRunMilliseconds),
    "warmup" to Json.of(warmup.toLong()),
    "latency_ms" to latency.toJson(),
    "peak_memory_bytes" to peakMemoryBytes?.let { Json.of(it) },
)
