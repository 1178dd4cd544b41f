package io.github.tinygan.edge.app

import android.media.MediaCodec
import android.media.MediaCodecInfo
import android.media.MediaFormat
import android.media.MediaMuxer
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.Yuv
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer

/**
 * An MP4 file with H.264, which every phone encodes.
 *
 * @param size of the images, pixels; they are repeated up to about 512, because encoders refuse small ones.
 * @param rate images a second.
 * @throws IOException if the phone has no encoder for this size.
 */
class VideoFile(file: File, size: Int, private val rate: Int) : Video {
    private val yuv = Yuv(size, (SIDE / size).coerceAtLeast(1))
    private val codec: MediaCodec = MediaCodec.createEncoderByType(CODEC)
    private val muxer = MediaMuxer(file.path, MediaMuxer.OutputFormat.MUXER_OUTPUT_MPEG_4)
    private val info = MediaCodec.BufferInfo()
    private var track = -1
    private var frames = 0L

    init {
        val format = MediaFormat.createVideoFormat(CODEC, yuv.side, yuv.side).apply {
            setInteger(MediaFormat.KEY_COLOR_FORMAT, MediaCodecInfo.CodecCapabilities.COLOR_FormatYUV420Flexible)
            setInteger(MediaFormat.KEY_BIT_RATE, BITS_PER_SECOND)
            setInteger(MediaFormat.KEY_FRAME_RATE, rate)
            setInteger(MediaFormat.KEY_I_FRAME_INTERVAL, 1)
        }
        try {
            codec.configure(format, null, null, MediaCodec.CONFIGURE_FLAG_ENCODE)
            codec.start()
        } catch (error: IllegalArgumentException) {
            close()
            throw IOException("this phone encodes no video of ${yuv.side} pixels", error)
        }
    }

    override fun add(image: Image) = encoding {
        val index = awaitInput()
        val frame = checkNotNull(codec.getInputImage(index)) { "the encoder takes no flexible frames" }
        val planes = yuv.frame(image)
        var start = 0
        for ((number, plane) in frame.planes.withIndex()) {
            val side = if (number == 0) yuv.side else yuv.side / 2
            copy(planes, start, side, plane.buffer, plane.rowStride, plane.pixelStride)
            start += side * side
        }
        codec.queueInputBuffer(index, 0, yuv.bytes, time(frames), 0)
        frames++
        drain(untilEnd = false)
    }

    override fun finish() = encoding {
        codec.queueInputBuffer(awaitInput(), 0, 0, time(frames), MediaCodec.BUFFER_FLAG_END_OF_STREAM)
        drain(untilEnd = true)
        muxer.stop()
    }

    override fun close() {
        codec.release()
        muxer.release()
    }

    private fun time(frame: Long) = frame * MICROSECONDS / rate

    private fun awaitInput(): Int {
        while (true) {
            val index = codec.dequeueInputBuffer(WAIT_MICROSECONDS)
            if (index >= 0) return index
            drain(untilEnd = false)
        }
    }

    private fun drain(untilEnd: Boolean) {
        while (true) {
            val index = codec.dequeueOutputBuffer(info, if (untilEnd) WAIT_MICROSECONDS else 0)
            if (index == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED) {
                track = muxer.addTrack(codec.outputFormat)
                muxer.start()
            } else if (index >= 0) {
                // The configuration is in the track's format already.
                val isData = info.flags and MediaCodec.BUFFER_FLAG_CODEC_CONFIG == 0 && info.size > 0
                if (isData) muxer.writeSampleData(track, checkNotNull(codec.getOutputBuffer(index)), info)
                codec.releaseOutputBuffer(index, false)
                if (info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0) return
            } else if (!untilEnd) {
                return
            }
        }
    }

    private fun copy(planes: ByteArray, start: Int, side: Int, target: ByteBuffer, rowStride: Int, pixelStride: Int) {
        for (row in 0 until side) {
            for (column in 0 until side) {
                target.put(row * rowStride + column * pixelStride, planes[start + row * side + column])
            }
        }
    }

    private inline fun encoding(work: () -> Unit) = try {
        work()
    } catch (error: IllegalStateException) { // of codec and muxer
        throw IOException("the video cannot be encoded (${error.message})", error)
    }

    companion object {
        /** The type of the file. */
        const val TYPE: String = "video/mp4"
        private const val CODEC = MediaFormat.MIMETYPE_VIDEO_AVC
        private const val SIDE = 512
        private const val BITS_PER_SECOND = 4_000_000
        private const val MICROSECONDS = 1_000_000L
        private const val WAIT_MICROSECONDS = 10_000L
    }
}
