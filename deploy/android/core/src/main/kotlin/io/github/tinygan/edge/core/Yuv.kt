package io.github.tinygan.edge.core

/**
 * Images as video encoders take them: 4:2:0, BT.601, limited range.
 *
 * The pixels are repeated [scale] times in both directions: encoders want more than a small model draws.
 */
class Yuv(private val size: Int, private val scale: Int) {
    /** Width and height of a frame, pixels. */
    val side: Int = size * scale

    /** Bytes of a frame. */
    val bytes: Int = side * side * 3 / 2

    init {
        require(size >= 1 && scale >= 1 && side % 2 == 0) { "frames of $side pixels cannot be halved" }
    }

    /**
     * Returns a frame as planes, one after the other: brightness, then blue and red, each a quarter of the size (I420).
     *
     * @throws IllegalArgumentException if the image is of another size.
     */
    fun frame(image: Image): ByteArray {
        require(image.width == size && image.height == size) { "${image.width} x ${image.height} is no $size x $size" }
        val frame = ByteArray(bytes)
        val quarter = side * side / 4
        for (row in 0 until side) {
            for (column in 0 until side) {
                val color = image.argb[row / scale * size + column / scale]
                frame[row * side + column] = luma(color)
                if (row % 2 == 0 && column % 2 == 0) {
                    val place = row / 2 * (side / 2) + column / 2
                    frame[side * side + place] = chroma(color, BLUE)
                    frame[side * side + quarter + place] = chroma(color, RED)
                }
            }
        }
        return frame
    }

    private fun luma(color: Int): Byte = (weigh(color, BRIGHTNESS) + 16).toByte()

    private fun chroma(color: Int, factors: IntArray): Byte = (weigh(color, factors) + 128).toByte()

    private fun weigh(color: Int, factors: IntArray): Int {
        val red = factors[0] * (color shr 16 and 0xFF)
        val green = factors[1] * (color shr 8 and 0xFF)
        return (red + green + factors[2] * (color and 0xFF) + 128) shr 8
    }

    private companion object {
        // ITU-R BT.601, in 1/256.
        val BRIGHTNESS = intArrayOf(66, 129, 25)
        val BLUE = intArrayOf(-38, -74, 112)
        val RED = intArrayOf(112, -94, -18)
    }
}
