package io.github.tinygan.edge.litert

import android.content.Context
import android.content.res.AssetManager
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Checksum
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.Sha256
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/**
 * The file of a model.
 *
 * @param content all of it, mapped.
 * @param assets what holds it; null: the phone's storage.
 * @param path in the assets, or on the storage.
 */
class ModelFile(val content: ByteBuffer, val assets: AssetManager?, val path: String)

/**
 * Maps a model that lies in a folder, or uncompressed in the assets, without copying it.
 *
 * @param folder null: the app's assets.
 * @throws MissingFileException if it is not there.
 * @throws ModelLoadException if it is compressed or cannot be read.
 * @throws CorruptFileException if it is not the one of the manifest.
 */
internal fun Context.map(artifact: Artifact, folder: File?): ModelFile {
    val file = try {
        if (folder == null) assets.map(artifact) else File(folder, artifact.file).map()
    } catch (error: FileNotFoundException) {
        throw MissingFileException(artifact.file, error)
    } catch (error: IOException) {
        throw ModelLoadException(RUNTIME, artifact.file, "it cannot be read (${error.message})", error)
    }
    Checksum(file.content.remaining().toLong(), Sha256.of(file.content)).check(artifact)
    return file
}

private fun File.map(): ModelFile = FileInputStream(this).use { stream ->
    ModelFile(stream.channel.map(FileChannel.MapMode.READ_ONLY, 0, length()), null, path)
}

private fun AssetManager.map(artifact: Artifact): ModelFile {
    val path = Manifest.assetPath(artifact.file)
    val content = try {
        openFd(path).use { asset ->
            FileInputStream(asset.fileDescriptor).use { file ->
                file.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        }
    } catch (error: FileNotFoundException) {
        if (!holds(path)) throw error
        val remedy = "it is compressed in the app; build with noCompress for .tflite"
        throw ModelLoadException(RUNTIME, artifact.file, remedy, error)
    }
    return ModelFile(content, this, path)
}

// A compressed asset opens as a stream, not as a file.
private fun AssetManager.holds(path: String): Boolean = try {
    open(path).close()
    true
} catch (_: IOException) {
    false
}
