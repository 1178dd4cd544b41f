package io.github.tinygan.edge.app

import android.app.Activity
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Intent
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.DocumentsContract
import io.github.tinygan.edge.core.Manifest
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf

/** The phone's files, as far as the system shows them: one folder. */
class OneFolder : ContentProvider() {
    val folder: File by lazy { File(checkNotNull(context).cacheDir, "exported").apply { mkdirs() } }

    override fun onCreate(): Boolean = true

    override fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        selectionArgs: Array<String>?,
        sortOrder: String?
    ): Cursor = MatrixCursor(projection).apply {
        for (file in folder.listFiles().orEmpty()) addRow(arrayOf(file.name, file.name, getType(uri)))
    }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor = ParcelFileDescriptor.open(
        File(folder, DocumentsContract.getDocumentId(uri)),
        ParcelFileDescriptor.MODE_READ_ONLY
    )

    override fun getType(uri: Uri): String = "application/octet-stream"

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<String>?): Int = 0

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<String>?): Int = 0
}

@RunWith(RobolectricTestRunner::class)
class OwnModelTest {
    private val tree = DocumentsContract.buildTreeDocumentUri("own.documents", "exported")
    private lateinit var documents: OneFolder

    @Before
    fun export() {
        documents = Robolectric.setupContentProvider(OneFolder::class.java, "own.documents")
        for (name in app.assets.list(Manifest.ASSET_FOLDER).orEmpty()) {
            app.assets.open(Manifest.assetPath(name)).use { asset ->
                File(documents.folder, name).outputStream().use { asset.copyTo(it) }
            }
        }
    }

    private fun choose(activity: MainActivity) {
        assertTrue(shadowOf(activity).clickMenuItem(R.id.action_open_model))
        val asked = shadowOf(activity).nextStartedActivityForResult
        assertEquals(Intent.ACTION_OPEN_DOCUMENT_TREE, asked.intent.action)
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(tree))
    }

    @Test
    fun drawsWithTheModelOfAFolder() {
        val manifest = File(documents.folder, Manifest.FILE)
        manifest.writeText(manifest.readText().replace("\"7\": \"7\"", "\"7\": \"seven\""))
        val activity = drawnMain().get()
        choose(activity)
        waitUntil("the other model") { app.services.ownModel.folder != null && !activity.isBusy() }
        activity.waitForImages()
        assertEquals("seven", app.services.store.catalog().manifest.model.className(7))
        assertNotNull(app.services.store.catalog().folder)
        assertTrue(shadowOf(activity).clickMenuItem(R.id.action_app_model))
        waitUntil("the app's own") { app.services.ownModel.folder == null && !activity.isBusy() }
        assertEquals("7", app.services.store.catalog().manifest.model.className(7))
    }

    @Test
    fun refusesADamagedFileAndChangesNothing() {
        val file = File(documents.folder, "student_xnnpack_int8.pte")
        file.writeBytes(file.readBytes().also { it[100] = (it[100] + 1).toByte() })
        val activity = drawnMain().get()
        choose(activity)
        assertTrue("student_xnnpack_int8.pte" in activity.waitForError())
        assertNull(app.services.ownModel.folder)
        assertEquals(
            "no part of it stays",
            emptyList<File>(),
            app.filesDir.listFiles {
                it.name.startsWith("own")
            }?.toList()
        )
    }

    @Test
    fun refusesAFolderWithoutAModel() {
        File(documents.folder, Manifest.FILE).delete()
        val activity = drawnMain().get()
        choose(activity)
        assertTrue("manifest.json" in activity.waitForError())
        assertTrue("the images stay", activity.images().all { it != null })
    }
}
