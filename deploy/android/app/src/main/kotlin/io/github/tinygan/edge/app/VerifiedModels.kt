package io.github.tinygan.edge.app

import android.content.Context
import android.content.SharedPreferences

/** The models that drew their golden image right with this installation of the app. */
class VerifiedModels(private val context: Context) {
    private val preferences: SharedPreferences get() = context.getSharedPreferences(FILE, Context.MODE_PRIVATE)

    // An update may bring another version of a runtime, so what was right is tried again.
    private val key: String
        get() = "installed-" + context.packageManager.getPackageInfo(context.packageName, 0).lastUpdateTime

    operator fun contains(id: String): Boolean = id in ids()

    /** Remembers a model. */
    fun add(id: String) {
        preferences.edit().clear().putStringSet(key, ids() + id).apply()
    }

    private fun ids(): Set<String> = preferences.getStringSet(key, emptySet()).orEmpty()

    private companion object {
        const val FILE = "verified_models"
    }
}
