package io.github.tinygan.edge.litert

import android.content.res.AssetManager
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Checksum
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.Sha256
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * Maps a model that lies uncompressed in the assets, without copying it.
 *
 * @throws MissingFileException if the assets do not hold it.
 * @throws ModelLoadException if it is compressed or cannot be read.
 * @throws CorruptFileException if it is not the one of the manifest.
 */
internal fun AssetManager.map(artifact: Artifact): ByteBuffer {
    val path = Manifest.assetPath(artifact.file)
    val model = try {
        openFd(path).use { asset ->
            FileInputStream(asset.fileDescriptor).use { file ->
                file.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        }
    } catch (error: FileNotFoundException) {
        if (!holds(path)) throw MissingFileException(artifact.file, error)
        val remedy = "it is compressed in the app; build with noCompress for .tflite"
        throw ModelLoadException(RUNTIME, artifact.file, remedy, error)
    } catch (error: IOException) {
        throw ModelLoadException(RUNTIME, artifact.file, "it cannot be read (${error.message})", error)
    }
    Checksum(model.remaining().toLong(), Sha256.of(model)).check(artifact)
    return model
}

// A compressed asset opens as a stream, not as a file.
private fun AssetManager.holds(path: String): Boolean = try {
    open(path).close()
    true
} catch (_: IOException) {
    false
}
