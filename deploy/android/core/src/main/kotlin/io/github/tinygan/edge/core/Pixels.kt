package io.github.tinygan.edge.core

/** Turns what a model gives into pixels, by the rule of `train/images.py`. */
object Pixels {
    /** The rule as the manifest writes it. */
    const val RULE: String = "byte = trunc(clamp(127.5 v + 128, 0, 255)), NaN -> 0"

    private const val OPAQUE = 0xFF shl 24
    private const val BYTE = 0xFF

    /** Returns the byte of a value in [-1, 1]: trunc(clamp(127.5 v + 128, 0, 255)), and 0 for NaN. */
    fun byteOf(value: Float): Int = (value * 127.5f + 128f).coerceIn(0f, 255f).toInt() // NaN.toInt() is 0

    /** Returns how many values are NaN or infinite. */
    fun countNotFinite(values: FloatArray): Int = values.count { !it.isFinite() }

    /**
     * Returns the image of values in [-1, 1].
     *
     * @param values 3 × height × width of them in the order of [layout].
     * @throws IllegalArgumentException if there are more or fewer.
     */
    fun fromFloats(values: FloatArray, width: Int, height: Int, layout: PixelLayout): Image =
        build(values.size, width, height, layout) { byteOf(values[it]) }

    /**
     * Returns the image of unsigned bytes.
     *
     * @param values 3 × height × width of them in the order of [layout].
     * @throws IllegalArgumentException if there are more or fewer.
     */
    fun fromBytes(values: ByteArray, width: Int, height: Int, layout: PixelLayout): Image =
        build(values.size, width, height, layout) { values[it].toInt() and BYTE }

    private inline fun build(size: Int, width: Int, height: Int, layout: PixelLayout, byteAt: (Int) -> Int): Image {
        val pixels = width * height
        require(size == pixels * Image.CHANNELS) { "$size values are no 3 x $height x $width image" }
        val (pixelStep, channelStep) = when (layout) {
            PixelLayout.NCHW -> 1 to pixels
            PixelLayout.NHWC -> Image.CHANNELS to 1
        }
        val argb = IntArray(pixels)
        for (pixel in 0 until pixels) {
            val red = byteAt(pixel * pixelStep)
            val green = byteAt(pixel * pixelStep + channelStep)
            val blue = byteAt(pixel * pixelStep + 2 * channelStep)
            argb[pixel] = OPAQUE or (red shl 16) or (green shl 8) or blue
        }
        return Image(width, height, argb)
    }
}
