package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.os.Build
import io.github.tinygan.edge.core.Cores
import io.github.tinygan.edge.core.Json
import java.io.File
import java.io.IOException

/** The cores of a phone. */
data class Processor(val cores: Int, val bigCores: Int) {
    /** Thread counts that are worth a choice: 1, 2, 4 and the big cores, no more than there are cores. */
    val threadChoices: List<Int> get() = listOf(1, 2, 4, bigCores).filter { it <= cores }.distinct().sorted()
}

/** The phone. */
object Device {
    private const val CPUS = "/sys/devices/system/cpu"
    private const val HIGHEST_FREQUENCY = "cpufreq/cpuinfo_max_freq"

    /** Returns its cores; where it does not tell their frequencies, all count as big. */
    fun processor(): Processor {
        val cores = Runtime.getRuntime().availableProcessors()
        return Processor(cores, frequencies(cores)?.let(Cores::big) ?: cores)
    }

    /** Returns the object `device` of a benchmark file. */
    fun toJson(processor: Processor): Json.Object = Json.of(
        "manufacturer" to Json.of(Build.MANUFACTURER),
        "model" to Json.of(Build.MODEL),
        "soc" to Json.of(if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Soc.name() else Build.HARDWARE),
        "sdk" to Json.of("Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})"),
        "abi" to Json.of(Build.SUPPORTED_ABIS.first()),
        "cores" to Json.of(processor.cores.toLong()),
    )

    private fun frequencies(cores: Int): List<Long>? = try {
        List(cores) { File(CPUS, "cpu$it/$HIGHEST_FREQUENCY").readText().trim().toLong() }
    } catch (_: IOException) {
        null
    } catch (_: NumberFormatException) {
        null
    }

    @TargetApi(Build.VERSION_CODES.S)
    private object Soc {
        fun name(): String = "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}"
    }
}
