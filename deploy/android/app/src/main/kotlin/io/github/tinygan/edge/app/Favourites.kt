package io.github.tinygan.edge.app

import android.content.Context
import android.content.SharedPreferences
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.RecipeException

/** Images that the user keeps, as recipes: they are drawn anew when they are looked at. */
class Favourites(private val context: Context) {
    private val preferences: SharedPreferences get() = context.getSharedPreferences(FILE, Context.MODE_PRIVATE)

    /** All of them, the latest first; those of other models too. */
    val all: List<Recipe>
        get() = preferences.getString(KEY, null).orEmpty().lines().filter { it.isNotEmpty() }.mapNotNull { line ->
            try {
                Recipe.parse(line)
            } catch (_: RecipeException) {
                null // written by another version of the app
            }
        }

    operator fun contains(recipe: Recipe): Boolean = recipe in all

    /** Adds one, or takes it out. */
    fun toggle(recipe: Recipe) {
        val old = all
        val new = if (recipe in old) old - recipe else listOf(recipe) + old
        preferences.edit().putString(KEY, new.joinToString("\n") { it.query }).apply()
    }

    private companion object {
        const val FILE = "favourites"
        const val KEY = "recipes"
    }
}
