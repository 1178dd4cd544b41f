package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.Morph
import io.github.tinygan.edge.core.TruncatedNormal

/** The inputs of one image, and what to call it. */
class Shot(val seed: ULong, val latent: FloatArray, val classWeights: FloatArray, val fileName: String)

/**
 * Returns the images that these settings ask for: of the seeds seed, seed + 1, … in a grid, or the one of a morph.
 *
 * @throws io.github.tinygan.edge.core.UnknownClassException if a class cannot be drawn.
 */
fun Settings.shots(manifest: Manifest): List<Shot> {
    val model = manifest.model
    val factor = truncation / Settings.HUNDRED.toDouble()
    fun latent(seed: ULong) = TruncatedNormal.latent(seed, model.zDim, factor)
    return when (mode) {
        Mode.GRID -> {
            val weights = model.classWeights(classIndex)
            TruncatedNormal.consecutiveSeeds(seed, Settings.GRID_COUNT).map { seed ->
                Shot(seed, latent(seed), weights, "tinygan-class$classIndex-seed$seed.png")
            }
        }
        Mode.MORPH -> {
            val (start, end) = model.classWeights(classIndex) to model.classWeights(endClass)
            val weights = Morph.between(start, end, classPosition.asPart())
            val z = Morph.between(latent(seed), latent(endSeed), latentPosition.asPart())
            val ends = "class$classIndex-$endClass-at$classPosition-seed$seed-$endSeed-at$latentPosition"
            listOf(Shot(seed, z, weights, "tinygan-morph-$ends.png"))
        }
    }
}

private fun Int.asPart(): Float = this / Settings.HUNDRED.toFloat()
