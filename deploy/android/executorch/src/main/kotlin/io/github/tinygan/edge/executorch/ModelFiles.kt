package io.github.tinygan.edge.executorch

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.Sha256
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/**
 * Copies programs out of the assets: ExecuTorch maps files, not assets.
 *
 * @param source on the phone that holds the files of the manifest; null: the app's assets.
 */
internal class ModelFiles(private val context: Context, private val source: File? = null) {
    private val folder = File(context.filesDir, Manifest.ASSET_FOLDER)

    /**
     * Returns the file of an artifact: that in [source], or a copy of the asset, made if it is not there or is damaged.
     *
     * @throws MissingFileException if it is not there.
     * @throws CorruptFileException if it is not the one of the manifest.
     * @throws ModelLoadException if it cannot be written.
     */
    fun install(manifest: Manifest, artifact: Artifact): File {
        if (source != null) return inPlace(source, artifact)
        val file = File(folder, nameOf(artifact))
        try {
            if (!isSound(file, artifact)) copy(artifact, file)
            forgetOthers(manifest)
        } catch (error: IOException) {
            throw ModelLoadException(RUNTIME, artifact.file, "it cannot be copied (${error.message})", error)
        }
        return file
    }

    private fun inPlace(source: File, artifact: Artifact): File {
        val file = File(source, artifact.file)
        try {
            file.inputStream().use { Sha256.of(it) }.check(artifact)
        } catch (error: FileNotFoundException) {
            throw MissingFileException(artifact.file, error)
        } catch (error: IOException) {
            throw ModelLoadException(RUNTIME, artifact.file, "it cannot be read (${error.message})", error)
        }
        return file
    }

    private fun isSound(file: File, artifact: Artifact): Boolean =
        file.length() == artifact.bytes && file.inputStream().use { Sha256.of(it).sha256 } == artifact.sha256

    private fun copy(artifact: Artifact, file: File) {
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("no folder ${folder.name}")
        val temporary = File.createTempFile(file.name, PART, folder)
        try {
            val checksum = open(artifact).use { asset ->
                temporary.outputStream().use { sink -> Sha256.of(asset, sink).also { sink.fd.sync() } }
            }
            checksum.check(artifact)
            if (!temporary.renameTo(file)) throw IOException("no file ${file.name}")
        } finally {
            temporary.delete()
        }
    }

    private fun open(artifact: Artifact) = try {
        context.assets.open(Manifest.assetPath(artifact.file))
    } catch (error: FileNotFoundException) {
        throw MissingFileException(artifact.file, error)
    }

    // Programs of older versions of the app, and what a killed copy left.
    private fun forgetOthers(manifest: Manifest) {
        val known = manifest.artifacts.map(::nameOf)
        folder.listFiles()?.filter { it.name !in known }?.forEach { it.delete() }
    }

    private fun nameOf(artifact: Artifact) = "${artifact.sha256}.pte"

    private companion object {
        const val PART = ".part"
    }
}
