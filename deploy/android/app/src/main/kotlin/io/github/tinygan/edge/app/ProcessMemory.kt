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

    /**
     * Returns the largest resident memory, bytes.
     *
     * @throws IOException if the phone does not tell it.
     */
    fun peakBytes(): Long = parsePeak(File(STATUS).readLines())

    /** Returns the peak in the lines of `/proc/self/status`, bytes. @throws IOException if there is none. */
    fun parsePeak(lines: List<String>): Long {
        val line = lines.firstOrNull { it.startsWith(PEAK) } ?: throw IOException("$STATUS has no $PEAK")
        val kibibytes = line.removePrefix(PEAK).trim().substringBefore(' ').toLongOrNull()
        return kibibytes?.times(KIBIBYTE) ?: throw IOException("$STATUS: $line")
    }
}
