package io.github.tinygan.edge.app

import android.content.Context
import android.net.Uri
import android.provider.DocumentsContract
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.Sha256
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/**
 * An exported folder of the phone's files, as a model of the user's own.
 *
 * Its files are copied into the app, each compared with the manifest: what draws is what was checked.
 */
class OwnModel(private val context: Context) {
    private val target = File(context.filesDir, "own_model")

    /** Where the copy lies; null if there is none. */
    val folder: File? get() = target.takeIf { File(it, Manifest.FILE).isFile }

    /**
     * Copies a folder, in the place of the one before. Call it on the inference thread.
     *
     * @param tree what the system's file dialog gave.
     * @param runs whether this build can run an artifact.
     * @throws io.github.tinygan.edge.core.EdgeException if the manifest or a file is missing, damaged, or of another
     *   export; nothing is changed then.
     * @throws IOException if it cannot be read or written.
     */
    fun open(tree: Uri, runs: (Artifact) -> Boolean) {
        val documents = documents(tree)
        val copy = File(context.filesDir, "own_model.part")
        copy.deleteRecursively()
        if (!copy.mkdirs()) throw IOException("no folder ${copy.name}")
        try {
            copy(Manifest.FILE, documents, copy)
            val manifest = Manifest.parse(File(copy, Manifest.FILE).readText())
            val artifacts = manifest.artifacts.filter { it.file in documents && runs(it) }
            if (artifacts.isEmpty()) throw MissingFileException(manifest.artifacts.first().file)
            for (artifact in artifacts) copy(artifact.file, documents, copy).check(artifact)
            for (student in artifacts.map { it.student }.distinct()) {
                copy(manifest.golden.files.getValue(student), documents, copy)
            }
            forget()
            if (!copy.renameTo(target)) throw IOException("no folder ${target.name}")
        } finally {
            copy.deleteRecursively()
        }
    }

    /** Goes back to the model of the app. */
    fun forget() {
        target.deleteRecursively()
    }

    private fun copy(name: String, documents: Map<String, Uri>, folder: File) = open(name, documents).use { source ->
        File(folder, name).outputStream().use { sink -> Sha256.of(source, sink) }
    }

    private fun open(name: String, documents: Map<String, Uri>): InputStream {
        val document = documents[name] ?: throw MissingFileException(name)
        return context.contentResolver.openInputStream(document) ?: throw FileNotFoundException(name)
    }

    /** Returns the files of a folder by their names. */
    private fun documents(tree: Uri): Map<String, Uri> {
        val folder = DocumentsContract.getTreeDocumentId(tree)
        val children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder)
        val columns = arrayOf(
            DocumentsContract.Document.COLUMN_DISPLAY_NAME,
            DocumentsContract.Document.COLUMN_DOCUMENT_ID
        )
        val found = HashMap<String, Uri>()
        val rows = context.contentResolver.query(children, columns, null, null, null)
            ?: throw IOException("the folder cannot be listed")
        rows.use {
            while (it.moveToNext()) {
                found[it.getString(0)] = DocumentsContract.buildDocumentUriUsingTree(tree, it.getString(1))
            }
        }
        return found
    }
}

/** A folder of files below the names that assets have. */
class FolderAssets(private val folder: File) : Assets {
    override fun open(path: String): InputStream =
        File(folder, path.removePrefix("${Manifest.ASSET_FOLDER}/")).inputStream()

    override fun list(folder: String): Set<String> = this.folder.list().orEmpty().toSet()
}
