package io.github.tinygan.edge.core

/**
 * An image as opaque ARGB integers, row by row: what `Bitmap.createBitmap(argb, width, height, ARGB_8888)` takes.
 *
 * @throws IllegalArgumentException if [argb] has not width × height values.
 */
class Image(val width: Int, val height: Int, val argb: IntArray) {
    init {
        require(argb.size == width * height) { "${argb.size} pixels are no $width x $height image" }
    }

    /** Returns the pixels as bytes R, G, B, row by row: the layout of the golden files. */
    fun toRgb(): ByteArray {
        val bytes = ByteArray(argb.size * CHANNELS)
        for ((pixel, color) in argb.withIndex()) {
            bytes[pixel * CHANNELS] = (color shr 16).toByte()
            bytes[pixel * CHANNELS + 1] = (color shr 8).toByte()
            bytes[pixel * CHANNELS + 2] = color.toByte()
        }
        return bytes
    }

    companion object {
        /** Colour channels of every image. */
        const val CHANNELS: Int = 3
    }
}

/** The order of an image tensor's axes. */
enum class PixelLayout {
    /** [1, 3, H, W]: a plane per colour. */
    NCHW,

    /** [1, H, W, 3]: the colours of a pixel side by side. */
    NHWC
}
