package io.github.tinygan.edge.app

import android.content.Context
import android.content.pm.ApplicationInfo
import java.io.File
import java.io.IOException
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/** Everything that one run measured. */
data class BenchmarkReport(
    /** Student → hash of its weights. */
    val modelHashes: Map<String, String>,
    val rows: List<BenchmarkRow> = emptyList(),
    val failures: List<BenchmarkFailure> = emptyList()
) {
    /** Returns the report with one thing more. */
    operator fun plus(measured: Measured): BenchmarkReport = when (measured) {
        is BenchmarkRow -> copy(rows = rows + measured)
        is BenchmarkFailure -> copy(failures = failures + measured)
    }

    /** Returns the content of the file. */
    fun toJson(context: Context, processor: Processor): JsonObject = buildJsonObject {
        put("format", FORMAT)
        put("device", Device.toJson(processor))
        put("app", appJson(context))
        putJsonObject("model_sha256") { for ((student, hash) in modelHashes) put(student, hash) }
        putJsonArray("rows") { for (row in rows) add(row.toJson()) }
        putJsonArray("errors") {
            for (failure in failures) {
                addJsonObject {
                    put("artifact", failure.artifact)
                    put("message", failure.error.message ?: failure.error.toString())
                }
            }
        }
    }

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

        private fun appJson(context: Context): JsonObject {
            val version = context.packageManager.getPackageInfo(context.packageName, 0).versionName
            val debuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
            return buildJsonObject {
                put("version", version.orEmpty())
                put("debuggable", debuggable)
            }
        }
    }
}

private fun BenchmarkRow.toJson(): JsonObject = buildJsonObject {
    put("artifact", offer.artifact.file)
    put("runtime", offer.artifact.runtime)
    put("backend", offer.artifact.backend)
    if (offer.runtime.unit.isNotEmpty()) put("unit", offer.runtime.unit)
    put("precision", offer.artifact.precision)
    put("sha256", offer.artifact.sha256)
    put("threads", threads)
    put("load_ms", loadMilliseconds)
    put("first_run_ms", firstRunMilliseconds)
    put("warmup", warmup)
    put("latency_ms", latency.toJson())
    put("conditions", conditions.toJson())
    peakMemoryBytes?.let { put("peak_memory_bytes", it) }
}
