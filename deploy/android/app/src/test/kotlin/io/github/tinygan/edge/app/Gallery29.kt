package io.github.tinygan.edge.app

import android.content.ContentProvider
import android.content.ContentUris
import android.content.ContentValues
import android.database.Cursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import java.io.File

/** The gallery of a phone with API 29 or newer, as far as apps write to it. */
open class Gallery29 : ContentProvider() {
    val entries = mutableListOf<ContentValues>()
    val file: File by lazy { File.createTempFile("gallery", ".png") }

    override fun onCreate(): Boolean = true

    override fun insert(uri: Uri, values: ContentValues?): Uri? {
        entries += ContentValues(values)
        return ContentUris.withAppendedId(uri, entries.size.toLong())
    }

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<String>?): Int {
        entries[ContentUris.parseId(uri).toInt() - 1].putAll(values)
        return 1
    }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor =
        ParcelFileDescriptor.open(file, ParcelFileDescriptor.parseMode(mode))

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<String>?): Int = 1.also { entries.clear() }

    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?
    ): Cursor? = null

    override fun getType(uri: Uri): String = "image/png"
}

/** One that takes nothing. */
class FullGallery : Gallery29() {
    override fun insert(uri: Uri, values: ContentValues?): Uri? = null
}
