package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.os.Build
import io.github.tinygan.edge.core.Cores
import java.io.File
import java.io.IOException
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

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
    fun toJson(processor: Processor): JsonObject = buildJsonObject {
        put("manufacturer", Build.MANUFACTURER)
        put("model", Build.MODEL)
        put("soc", if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Soc.name() else Build.HARDWARE)
        put("sdk", "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})")
        put("abi", Build.SUPPORTED_ABIS.first())
        put("cores", processor.cores)
    }

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
