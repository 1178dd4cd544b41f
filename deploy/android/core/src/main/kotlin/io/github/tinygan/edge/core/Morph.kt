package io.github.tinygan.edge.core

/** Ways between two images: straight lines between their inputs. */
object Morph {
    /**
     * Returns the point at [position] of the line from one latent, or one class weight vector, to another.
     *
     * @param position 0 gives [from] and 1 gives [to], exactly.
     * @throws IllegalArgumentException if the lengths differ or [position] is outside 0..1.
     */
    fun between(from: FloatArray, to: FloatArray, position: Float): FloatArray {
        require(from.size == to.size) { "vectors of ${from.size} and ${to.size} values have nothing between them" }
        require(position in 0f..1f) { "position $position is not in 0..1" }
        return FloatArray(from.size) { (1f - position) * from[it] + position * to[it] }
    }
}
