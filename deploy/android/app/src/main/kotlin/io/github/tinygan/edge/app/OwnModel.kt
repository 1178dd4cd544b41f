package io.github.tinygan.edge.app

import android.content.Context
import android.net.Uri
import android.provider.DocumentsContract
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelBundle
import io.github.tinygan.edge.core.NamedModel
import io.github.tinygan.edge.core.Sha256
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/**
 * An exported folder of the phone's files, or a bundle of several, as models of the user's own.
 *
 * Its files are copied into the app, each compared with the manifest: what draws is what was checked.
 */
class OwnModel(private val context: Context) {
    private val target = File(context.filesDir, "own_model")

    /** Where the copy lies; null if there is none. */
    val folder: File? get() = target.takeIf { File(it, Manifest.FILE).isFile || File(it, ModelBundle.FILE).isFile }

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
        val documents = documents(tree, DocumentsContract.getTreeDocumentId(tree))
        val copy = File(context.filesDir, "own_model.part")
        copy.deleteRecursively()
        if (!copy.mkdirs()) throw IOException("no folder ${copy.name}")
        try {
            // What is read is copied: the index, and every manifest that it leads to.
            val bundle = ModelBundle.read { path ->
                val name = path.removePrefix("${Manifest.ASSET_FOLDER}/")
                copy(name, documents, copy)
                File(copy, name).inputStream()
            }
            for (model in bundle.groups.flatMap { it.models }) copy(model, documents, copy, runs)
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

    private fun copy(model: NamedModel, documents: Map<String, Uri>, folder: File, runs: (Artifact) -> Boolean) {
        val manifest = model.manifest
        val artifacts = manifest.artifacts.filter { it.file in documents && runs(it) }
        if (artifacts.isEmpty()) throw MissingFileException(manifest.artifacts.first().file)
        try {
            for (artifact in artifacts) copy(artifact.file, documents, folder).check(artifact)
            for (student in artifacts.map { it.student }.distinct()) {
                copy(manifest.golden.files.getValue(student), documents, folder)
            }
        } catch (error: FileNotFoundException) {
            throw MissingFileException(error.message.orEmpty(), error)
        }
    }

    private fun copy(name: String, documents: Map<String, Uri>, folder: File) = open(name, documents).use { source ->
        val file = File(folder, name)
        file.parentFile?.mkdirs()
        file.outputStream().use { sink -> Sha256.of(source, sink) }
    }

    private fun open(name: String, documents: Map<String, Uri>): InputStream {
        val document = documents[name] ?: throw FileNotFoundException(name)
        return context.contentResolver.openInputStream(document) ?: throw FileNotFoundException(name)
    }

    /** Returns the files of a folder, and of the folders in it, by their names as seen from it. */
    private fun documents(tree: Uri, folder: String, prefix: String = ""): Map<String, Uri> {
        val children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, folder)
        val columns = arrayOf(
            DocumentsContract.Document.COLUMN_DISPLAY_NAME,
            DocumentsContract.Document.COLUMN_DOCUMENT_ID,
            DocumentsContract.Document.COLUMN_MIME_TYPE
        )
        val found = HashMap<String, Uri>()
        val rows = context.contentResolver.query(children, columns, null, null, null)
            ?: throw IOException("the folder cannot be listed")
        rows.use {
            while (it.moveToNext()) {
                val (name, id) = it.getString(0) to it.getString(1)
                if (it.getString(2) != DocumentsContract.Document.MIME_TYPE_DIR) {
                    found[prefix + name] = DocumentsContract.buildDocumentUriUsingTree(tree, id)
                } else if (prefix.isEmpty()) {
                    found += documents(tree, id, "$name/")
                }
            }
        }
        return found
    }
}

/** A folder of files below the names that assets have. */
class FolderAssets(private val folder: File) : Assets {
    override fun open(path: String): InputStream =
        File(folder, path.removePrefix("${Manifest.ASSET_FOLDER}/")).inputStream()

    override fun list(folder: String): Set<String> =
        File(this.folder, folder.removePrefix(Manifest.ASSET_FOLDER)).list().orEmpty().toSet()
}
