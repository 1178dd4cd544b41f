package io.github.tinygan.edge.app

import java.io.File
import java.io.IOException

/** The memory of this process, as Linux counts it. */
object ProcessMemory {
    private const val STATUS = "/proc/self/status"
    private const val CLEAR = "/proc/self/clear_refs"
    private const val FORGET_PEAK = "5"
    private const val PEAK = "VmHWM:"
    private const val KIBIBYTE = 1024L

    /** Forgets the peak so far; phones may forbid it, and then the peak counts from the start of the process. */
    fun forgetPeak() {
        try {
            File(CLEAR).writeText(FORGET_PEAK)
        } catch (_: IOException) {
            // Documented above.
        }
    }

    /** Returns the largest resident memory, bytes; null where the phone does not tell it. */
    fun peakBytes(): Long? = try {
        parsePeak(File(STATUS).readLines())
    } catch (_: IOException) {
        null
    }

    /** Returns the peak in the lines of `/proc/self/status`, bytes; null if they have none. */
    fun parsePeak(lines: List<String>): Long? {
        val value = lines.firstOrNull { it.startsWith(PEAK) }?.removePrefix(PEAK)
        return value?.trim()?.substringBefore(' ')?.toLongOrNull()?.times(KIBIBYTE)
    }
}
