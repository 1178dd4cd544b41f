package io.github.tinygan.edge.app

import android.os.Bundle
import io.github.tinygan.edge.core.ClassShare
import io.github.tinygan.edge.core.Model
import io.github.tinygan.edge.core.Recipe

/** What is on the screen. */
enum class Mode {
    /** Many images of a class. */
    GRID,

    /** One on the way between two classes and two seeds. */
    MORPH,

    /** One of three classes, as a finger blends them. */
    BLEND,

    /** One after the other on a way through classes and seeds, without end. */
    PLAY
}

/** What the user chose; all of it survives rotation and the end of the process. */
data class Settings(
    val mode: Mode,
    val classIndex: Int,
    val seed: ULong,
    /** Factor of the latent, in (0, 1]. */
    val truncation: Double,
    /** The class at the other end of a morph. */
    val endClass: Int,
    /** The seed at the other end of a morph. */
    val endSeed: ULong,
    /** Way between the classes, in hundredths. */
    val classPosition: Int,
    /** Way between the latents, in hundredths. */
    val latentPosition: Int,
    /** The classes at the corners of the pad. */
    val corners: List<Int>,
    /** What is blended: classes of the corners, or those of a link. */
    val blend: List<ClassShare>,
    /** [Offer.key] of the model; null: the preferred one. */
    val offer: String?,
    val threads: Int,
    /** The image that is saved and shared: its place in the grid. */
    val selected: Int,
    /** [Catalog.group], whose classes the indices count. */
    val group: Int
) {
    /** How many images they ask for. */
    val count: Int get() = if (mode == Mode.GRID) GRID_COUNT else 1

    /** Returns what [restore] reads. */
    fun toBundle(): Bundle = Bundle().apply {
        putString(MODE, mode.name)
        putInt(CLASS, classIndex)
        putLong(SEED, seed.toLong())
        putDouble(TRUNCATION, truncation)
        putInt(END_CLASS, endClass)
        putLong(END_SEED, endSeed.toLong())
        putInt(CLASS_POSITION, classPosition)
        putInt(LATENT_POSITION, latentPosition)
        putIntArray(CORNERS, corners.toIntArray())
        putIntArray(BLEND_CLASSES, blend.map { it.index }.toIntArray())
        putFloatArray(BLEND_WEIGHTS, blend.map { it.weight }.toFloatArray())
        putString(OFFER, offer)
        putInt(THREADS, threads)
        putInt(SELECTED, selected)
        putInt(GROUP, group)
    }

    /** Returns the settings that draw a recipe; its classes must be those of the model. */
    fun of(recipe: Recipe): Settings {
        val seeded = copy(seed = recipe.seed, truncation = recipe.truncation, selected = 0)
        val only = recipe.classes.singleOrNull()
        if (only != null) return seeded.copy(mode = Mode.GRID, classIndex = only.index)
        val named = recipe.classes.map { it.index }.take(CORNERS_OF_PAD)
        val filled = (named + corners).distinct().take(CORNERS_OF_PAD)
        return seeded.copy(mode = Mode.BLEND, corners = filled, blend = recipe.classes)
    }

    companion object {
        /** Images in a grid. */
        const val GRID_COUNT: Int = 9

        /** Steps of each slider. */
        const val HUNDRED: Int = 100

        /** Classes that the pad blends. */
        const val CORNERS_OF_PAD: Int = 3

        private const val MODE = "mode"
        private const val CLASS = "class"
        private const val SEED = "seed"
        private const val TRUNCATION = "truncation"
        private const val END_CLASS = "end_class"
        private const val END_SEED = "end_seed"
        private const val CLASS_POSITION = "class_position"
        private const val LATENT_POSITION = "latent_position"
        private const val CORNERS = "corners"
        private const val BLEND_CLASSES = "blend_classes"
        private const val BLEND_WEIGHTS = "blend_weights"
        private const val OFFER = "offer"
        private const val THREADS = "threads"
        private const val SELECTED = "selected"
        private const val GROUP = "group"

        /** Returns the group of what [toBundle] wrote. */
        fun groupOf(bundle: Bundle): Int = bundle.getInt(GROUP)

        /** Returns the modes that a model can be drawn in. */
        fun modesOf(model: Model): List<Mode> =
            Mode.entries.filter { it != Mode.BLEND || model.drawable.size >= CORNERS_OF_PAD }

        /** Returns what a first start shows. */
        fun initial(catalog: Catalog): Settings {
            val classes = catalog.manifest.model.drawable
            val corners = List(CORNERS_OF_PAD) { classes[it * (classes.size - 1) / (CORNERS_OF_PAD - 1)] }
            return Settings(
                mode = Mode.GRID,
                classIndex = classes.first(),
                seed = 1u,
                truncation = catalog.manifest.truncation,
                endClass = classes.last(),
                endSeed = 2u,
                classPosition = HUNDRED / 2,
                latentPosition = 0,
                corners = corners,
                blend = BlendPad.shares(corners, BlendPad.MIDDLE),
                offer = null,
                threads = 1,
                selected = 0,
                group = catalog.group
            )
        }

        /** Reads what [toBundle] wrote; what an update of the app no longer offers becomes its initial value. */
        fun restore(bundle: Bundle, catalog: Catalog): Settings {
            val initial = initial(catalog)
            val model = catalog.manifest.model
            val classes = model.drawable
            val mode = modesOf(model).firstOrNull { it.name == bundle.getString(MODE) }
            val corners = bundle.getIntArray(CORNERS)?.toList().orEmpty()
            val blended = bundle.getIntArray(BLEND_CLASSES)?.toList().orEmpty()
            val blend = blended.zip(bundle.getFloatArray(BLEND_WEIGHTS)?.toList().orEmpty(), ::ClassShare)
            val isWhole = corners.size == CORNERS_OF_PAD && blend.isNotEmpty() && classes.containsAll(corners + blended)
            return Settings(
                mode = mode ?: initial.mode,
                classIndex = bundle.getInt(CLASS, -1).takeIf { it in classes } ?: initial.classIndex,
                seed = bundle.getLong(SEED, initial.seed.toLong()).toULong(),
                truncation = bundle.getDouble(TRUNCATION).takeIf { it > 0 && it <= 1 } ?: initial.truncation,
                endClass = bundle.getInt(END_CLASS, -1).takeIf { it in classes } ?: initial.endClass,
                endSeed = bundle.getLong(END_SEED, initial.endSeed.toLong()).toULong(),
                classPosition = bundle.getInt(CLASS_POSITION, initial.classPosition).coerceIn(0, HUNDRED),
                latentPosition = bundle.getInt(LATENT_POSITION, initial.latentPosition).coerceIn(0, HUNDRED),
                corners = if (isWhole) corners else initial.corners,
                blend = if (isWhole) blend else initial.blend,
                offer = bundle.getString(OFFER),
                threads = bundle.getInt(THREADS, initial.threads).coerceAtLeast(1),
                selected = bundle.getInt(SELECTED, 0).coerceIn(0, GRID_COUNT - 1),
                group = catalog.group
            )
        }
    }
}
