package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.content.ContentValues
import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import android.os.Build
import android.os.Environment
import android.provider.MediaStore
import io.github.tinygan.edge.core.Image
import java.io.IOException
import java.io.OutputStream

/** Saves images as PNG, without any permission. */
object Gallery {
    /** The folder below the phone's pictures. */
    const val FOLDER: String = "TinyGAN"

    /** The type of the files. */
    const val TYPE: String = "image/png"

    /** Whether [add] works; before API 29 an app may write only where the user chooses. */
    val isDirect: Boolean get() = Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q

    /**
     * Adds an image to the gallery.
     *
     * @throws IOException if the phone refuses it.
     */
    fun add(context: Context, png: ByteArray, name: String) {
        check(isDirect) { "before API 29 the user chooses a file" }
        MediaImages.add(context, png, name)
    }

    /**
     * Writes an image to a file that the user chose.
     *
     * @throws IOException if it cannot be written.
     */
    fun write(context: Context, file: Uri, png: ByteArray) {
        val stream = context.contentResolver.openOutputStream(file, "wt") ?: throw IOException("$file cannot be opened")
        stream.use { it.write(png) }
    }
}

/** Returns the image as a bitmap. */
fun Image.toBitmap(): Bitmap = Bitmap.createBitmap(argb, width, height, Bitmap.Config.ARGB_8888)

/** Writes the image as PNG. @throws IOException if that fails. */
fun Image.writePng(stream: OutputStream) {
    val bitmap = toBitmap()
    try {
        if (!bitmap.compress(Bitmap.CompressFormat.PNG, 100, stream)) throw IOException("the image cannot be encoded")
    } finally {
        bitmap.recycle()
    }
}

@TargetApi(Build.VERSION_CODES.Q)
private object MediaImages {
    fun add(context: Context, png: ByteArray, name: String) {
        val resolver = context.contentResolver
        val entry = ContentValues().apply {
            put(MediaStore.MediaColumns.DISPLAY_NAME, name)
            put(MediaStore.MediaColumns.MIME_TYPE, Gallery.TYPE)
            put(MediaStore.MediaColumns.RELATIVE_PATH, "${Environment.DIRECTORY_PICTURES}/${Gallery.FOLDER}")
            put(MediaStore.MediaColumns.IS_PENDING, 1)
        }
        val images = MediaStore.Images.Media.getContentUri(MediaStore.VOLUME_EXTERNAL_PRIMARY)
        val uri = resolver.insert(images, entry) ?: throw IOException("the gallery takes no image")
        try {
            Gallery.write(context, uri, png)
            resolver.update(uri, ContentValues().apply { put(MediaStore.MediaColumns.IS_PENDING, 0) }, null, null)
        } catch (error: IOException) {
            resolver.delete(uri, null, null)
            throw error
        }
    }
}
