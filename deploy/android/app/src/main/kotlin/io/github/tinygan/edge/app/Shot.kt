package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.ClassShare
import io.github.tinygan.edge.core.EndlessMorph
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.Model
import io.github.tinygan.edge.core.Morph
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.TruncatedNormal
import io.github.tinygan.edge.core.classWeights
import io.github.tinygan.edge.core.id

/** The inputs of one image, and what to call it. */
class Shot(
    val seed: ULong,
    val latent: FloatArray,
    val classWeights: FloatArray,
    val fileName: String,
    /** From what it is drawn; null: from two latents, for which recipes have no word. */
    val recipe: Recipe?
)

/** Images of a recorded loop from one station to the next, and stations: five seconds in all. */
const val LOOP_STEPS: Int = 15
const val LOOP_STATIONS: Int = 5

/** Images that a recorded loop shows in a second. */
const val LOOP_RATE: Int = LOOP_STEPS * LOOP_STATIONS / 5

/**
 * Returns the images that these settings ask for: of the seeds seed, seed + 1, … in a grid, or the one of a morph or a
 * blend, or the first of an endless morph.
 *
 * @throws io.github.tinygan.edge.core.UnknownClassException if a class cannot be drawn.
 */
fun Settings.shots(manifest: Manifest): List<Shot> {
    val model = manifest.model
    return when (mode) {
        Mode.GRID -> TruncatedNormal.consecutiveSeeds(seed, Settings.GRID_COUNT).map { seed ->
            shot(model, listOf(ClassShare(classIndex, 1f)), seed, "tinygan-class$classIndex-seed$seed")
        }

        Mode.BLEND -> {
            val name = blend.joinToString("-") { "class${it.index}" }
            listOf(shot(model, blend, seed, "tinygan-blend-$name-seed$seed"))
        }

        Mode.MORPH -> listOf(morph(model))

        Mode.PLAY -> listOf(played(model, 0))
    }
}

/** Returns the way of the endless morph. */
fun Settings.endless(model: Model): EndlessMorph = EndlessMorph(model, seed, truncation, LOOP_STEPS)

/** Returns image [index] of the endless morph. */
fun Settings.played(model: Model, index: Long): Shot {
    val inputs = endless(model).at(index)
    return Shot(seed, inputs.latent, inputs.classWeights, "tinygan-morph-seed$seed-image$index.png", null)
}

private fun Settings.morph(model: Model): Shot {
    val name = "tinygan-morph-class$classIndex-$endClass-at$classPosition-seed$seed-$endSeed-at$latentPosition"
    val shares = listOf(
        ClassShare(classIndex, (Settings.HUNDRED - classPosition).asPart()),
        ClassShare(endClass, classPosition.asPart())
    ).filter { it.weight > 0 }
    val one = listOf(ClassShare(classIndex, 1f))
    val own = if (classIndex == endClass) one else shares
    // At either end there is one latent, and with it a recipe; what is drawn is then what the recipe says.
    if (latentPosition == 0) return shot(model, own, seed, name)
    if (latentPosition == Settings.HUNDRED) return shot(model, own, endSeed, name)
    val z = Morph.between(latent(model, seed), latent(model, endSeed), latentPosition.asPart())
    return Shot(seed, z, model.classWeights(own), "$name.png", null)
}

private fun Settings.shot(model: Model, shares: List<ClassShare>, seed: ULong, name: String) = Shot(
    seed,
    latent(model, seed),
    model.classWeights(shares),
    "$name.png",
    Recipe(model.id, shares, seed, truncation)
)

private fun Settings.latent(model: Model, seed: ULong) = model.latent(seed, truncation)

private fun Int.asPart(): Float = this / Settings.HUNDRED.toFloat()
