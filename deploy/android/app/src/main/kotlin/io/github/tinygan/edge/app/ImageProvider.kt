package io.github.tinygan.edge.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.util.UUID
import java.util.concurrent.TimeUnit

/** Gives the app to which an image or a video is shared that one file, to read. */
class ImageProvider : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun getType(uri: Uri): String =
        if (uri.lastPathSegment.orEmpty().endsWith(".mp4")) VideoFile.TYPE else Gallery.TYPE

    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?
    ): Cursor {
        val file = fileOf(uri)
        val columns = (projection ?: COLUMNS).filter { it in COLUMNS }.toTypedArray()
        val row = columns.map { if (it == OpenableColumns.SIZE) file.length() else file.name }
        return MatrixCursor(columns, 1).apply { addRow(row) }
    }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw SecurityException("shared images are read only")
        return ParcelFileDescriptor.open(fileOf(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = refuse()

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<String>?): Int =
        refuse()

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<String>?): Int = refuse()

    private fun refuse(): Nothing = throw UnsupportedOperationException("shared images are read only")

    // Only names that are listed: a path cannot climb out of the folder.
    private fun fileOf(uri: Uri): File {
        val file = uri.pathSegments.fold(context?.let(::folder)) { folder, name ->
            folder?.listFiles()?.firstOrNull { it.name == name }
        }
        return file?.takeIf { it.isFile } ?: throw FileNotFoundException("$uri is not shared")
    }

    companion object {
        private val COLUMNS = arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)

        /**
         * Returns a new file where this provider finds it.
         *
         * Each share has an address of its own, which stays for a day: many apps read a file only when they send it.
         *
         * @throws IOException if it cannot be written.
         */
        fun newFile(context: Context, name: String): File {
            val oldest = System.currentTimeMillis() - TimeUnit.DAYS.toMillis(1)
            folder(context).listFiles()?.filter { it.lastModified() < oldest }?.forEach { it.deleteRecursively() }
            val own = File(folder(context), UUID.randomUUID().toString())
            if (!own.mkdirs()) throw IOException("no folder ${own.name}")
            return File(own, name)
        }

        /** Returns the address of a file that [newFile] gave. */
        fun addressOf(context: Context, file: File): Uri =
            Uri.Builder().scheme("content").authority("${context.packageName}.images")
                .appendPath(checkNotNull(file.parentFile).name).appendPath(file.name).build()

        private fun folder(context: Context) = File(context.cacheDir, "shared")
    }
}
