package io.github.tinygan.edge.app

import android.os.Bundle
import kotlin.math.roundToInt

/** What is on the screen: many images of a class, or one on the way between two. */
enum class Mode { GRID, MORPH }

/** What the user chose; all of it survives rotation and the end of the process. */
data class Settings(
    val mode: Mode,
    val classIndex: Int,
    val seed: ULong,
    /** Hundredths, in 1..100. */
    val truncation: Int,
    /** The class at the other end of a morph. */
    val endClass: Int,
    /** The seed at the other end of a morph. */
    val endSeed: ULong,
    /** Way between the classes, in hundredths. */
    val classPosition: Int,
    /** Way between the latents, in hundredths. */
    val latentPosition: Int,
    /** File of the model; null: the preferred one. */
    val artifact: String?,
    val threads: Int,
    /** The image that is saved and shared: its place in the grid. */
    val selected: Int,
) {
    /** How many images they ask for. */
    val count: Int get() = if (mode == Mode.GRID) GRID_COUNT else 1

    /** Returns what [restore] reads. */
    fun toBundle(): Bundle = Bundle().apply {
        putString(MODE, mode.name)
        putInt(CLASS, classIndex)
        putLong(SEED, seed.toLong())
        putInt(TRUNCATION, truncation)
        putInt(END_CLASS, endClass)
        putLong(END_SEED, endSeed.toLong())
        putInt(CLASS_POSITION, classPosition)
        putInt(LATENT_POSITION, latentPosition)
        putString(ARTIFACT, artifact)
        putInt(THREADS, threads)
        putInt(SELECTED, selected)
    }

    companion object {
        /** Images in a grid. */
        const val GRID_COUNT: Int = 9

        /** Steps of each slider. */
        const val HUNDRED: Int = 100

        private const val MODE = "mode"
        private const val CLASS = "class"
        private const val SEED = "seed"
        private const val TRUNCATION = "truncation"
        private const val END_CLASS = "end_class"
        private const val END_SEED = "end_seed"
        private const val CLASS_POSITION = "class_position"
        private const val LATENT_POSITION = "latent_position"
        private const val ARTIFACT = "artifact"
        private const val THREADS = "threads"
        private const val SELECTED = "selected"

        /** Returns what a first start shows. */
        fun initial(catalog: Catalog): Settings {
            val (model, truncation) = catalog.manifest.model to catalog.manifest.truncation
            return Settings(
                mode = Mode.GRID,
                classIndex = model.drawable.first(),
                seed = 1u,
                truncation = (truncation * HUNDRED).roundToInt().coerceIn(1, HUNDRED),
                endClass = model.drawable.last(),
                endSeed = 2u,
                classPosition = HUNDRED / 2,
                latentPosition = 0,
                artifact = null,
                threads = 1,
                selected = 0,
            )
        }

        /** Reads what [toBundle] wrote; what an update of the app no longer offers becomes its initial value. */
        fun restore(bundle: Bundle, catalog: Catalog): Settings {
            val initial = initial(catalog)
            val classes = catalog.manifest.model.drawable
            val mode = Mode.entries.firstOrNull { it.name == bundle.getString(MODE) }
            return Settings(
                mode = mode ?: initial.mode,
                classIndex = bundle.getInt(CLASS, -1).takeIf { it in classes } ?: initial.classIndex,
                seed = bundle.getLong(SEED, initial.seed.toLong()).toULong(),
                truncation = bundle.getInt(TRUNCATION, initial.truncation).coerceIn(1, HUNDRED),
                endClass = bundle.getInt(END_CLASS, -1).takeIf { it in classes } ?: initial.endClass,
                endSeed = bundle.getLong(END_SEED, initial.endSeed.toLong()).toULong(),
                classPosition = bundle.getInt(CLASS_POSITION, initial.classPosition).coerceIn(0, HUNDRED),
                latentPosition = bundle.getInt(LATENT_POSITION, initial.latentPosition).coerceIn(0, HUNDRED),
                artifact = bundle.getString(ARTIFACT),
                threads = bundle.getInt(THREADS, initial.threads).coerceAtLeast(1),
                selected = bundle.getInt(SELECTED, 0).coerceIn(0, GRID_COUNT - 1),
            )
        }
    }
}
