package io.github.tinygan.edge.app

import android.annotation.SuppressLint
import android.content.Context
import android.content.SharedPreferences

/**
 * Remembers what was being tried when the process ended.
 *
 * A driver of a GPU can end it without an exception. What was begun and never ended is not tried again until the app
 * or the system is updated.
 */
class CrashGuard(private val context: Context) {
    private val preferences: SharedPreferences get() = context.getSharedPreferences(FILE, Context.MODE_PRIVATE)
    private val version: String
        get() {
            val installed = context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime
            return "$installed ${android.os.Build.FINGERPRINT}"
        }

    // Begun in this process and going on: its marks are no crash.
    private val current = HashSet<String>()

    /** Returns whether the process ended the last time that [what] was tried. */
    fun crashed(what: String): Boolean = what !in current && preferences.getString(what, null) == version

    /** Runs what may end the process. */
    fun <T> guard(what: String, work: () -> T): T {
        mark(what)
        try {
            return work()
        } finally {
            clear(what)
        }
    }

    @SuppressLint("ApplySharedPref") // it must be on the disk before the attempt
    private fun mark(what: String) {
        current += what
        preferences.edit().putString(what, version).commit()
    }

    private fun clear(what: String) {
        current -= what
        preferences.edit().remove(what).apply()
    }

    private companion object {
        const val FILE = "tried"
    }
}
