package io.github.tinygan.edge.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.net.Uri
import android.provider.OpenableColumns
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FileNotFoundException
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
class SaveAndShareTest {
    private fun shared(activity: Activity): Pair<Intent, Uri> {
        activity.click(R.id.share_button)
        var chooser: Intent? = null
        waitUntil("the chooser") { shadowOf(activity).nextStartedActivity.also { chooser = it } != null }
        assertEquals(Intent.ACTION_CHOOSER, chooser?.action)
        @Suppress("DEPRECATION")
        val send = checkNotNull(chooser?.getParcelableExtra<Intent>(Intent.EXTRA_INTENT))
        @Suppress("DEPRECATION")
        return send to checkNotNull(send.getParcelableExtra<Uri>(Intent.EXTRA_STREAM))
    }

    @Test
    fun sharesTheSelectedImageAlone() {
        val activity = drawnMain().get()
        activity.imageViews()[3].performClick()
        idle()
        val (send, uri) = shared(activity)
        assertEquals("image/png", send.type)
        assertTrue("the other app may read it", send.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION != 0)
        assertEquals(uri, send.clipData?.getItemAt(0)?.uri)
        assertEquals(
            "io.github.tinygan.edge.images" to "tinygan-class0-seed4.png",
            uri.authority to uri.lastPathSegment
        )
        val provider = provider()
        assertEquals("image/png", provider.getType(uri))
        provider.query(uri, null, null, null, null).use { row ->
            assertTrue(row.moveToFirst())
            assertEquals(
                "tinygan-class0-seed4.png",
                row.getString(row.getColumnIndexOrThrow(OpenableColumns.DISPLAY_NAME))
            )
            assertTrue(row.getLong(row.getColumnIndexOrThrow(OpenableColumns.SIZE)) > 0)
        }
    }

    @Test
    @Config(sdk = [35, 36])
    @GraphicsMode(GraphicsMode.Mode.NATIVE)
    fun sharesTheVeryPixels() {
        val activity = drawnMain().get()
        val (_, uri) = shared(activity)
        val decoded = provider().openFile(uri, "r").use { BitmapFactory.decodeFileDescriptor(it.fileDescriptor) }
        assertEquals(activity.images().first()?.pixels(), checkNotNull(decoded).pixels())
    }

    @Test
    fun keepsWhatWasSharedForADay() {
        val activity = drawnMain().get()
        val (first, second, third) = List(3) { shared(activity).second }
        val provider = provider()
        fun read(uri: Uri) = provider.openFile(uri, "r").use { it.statSize }
        assertEquals("each its own address", 3, setOf(first, second, third).size)
        assertTrue("a mail that is sent later can read it", read(first) > 0)
        val folder = File(app.cacheDir, "shared")
        val now = System.currentTimeMillis()
        assertTrue(File(folder, first.pathSegments[0]).setLastModified(now - TimeUnit.HOURS.toMillis(25)))
        assertTrue(File(folder, second.pathSegments[0]).setLastModified(now - TimeUnit.HOURS.toMillis(23)))
        shared(activity)
        assertThrows(FileNotFoundException::class.java) { read(first) }
        assertTrue(read(second) > 0 && read(third) > 0)
        assertEquals("nothing of it stays", 3, folder.list()?.size)
    }

    @Test
    fun sharesNothingElse() {
        val (_, uri) = shared(drawnMain().get())
        val (own, name) = uri.pathSegments
        val provider = provider()
        val elsewhere = listOf("other.png", "../shared_prefs/verified_models.xml", "a/b.png", "")
        for (path in elsewhere + listOf(own, "$own/other.png", "$own/../$own/$name", "$own/$name/x")) {
            val other = Uri.parse("content://${uri.authority}/$path")
            assertThrows(path, FileNotFoundException::class.java) { provider.openFile(other, "r") }
        }
        assertThrows(SecurityException::class.java) { provider.openFile(uri, "rw") }
        assertThrows(UnsupportedOperationException::class.java) { provider.delete(uri, null, null) }
    }

    @Test
    @Config(sdk = [24])
    fun letsTheUserChooseAFileOnOldPhones() {
        val activity = drawnMain().get()
        activity.click(R.id.save_button)
        val started = shadowOf(activity).nextStartedActivityForResult
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, started.intent.action)
        assertEquals("tinygan-class0-seed1.png", started.intent.getStringExtra(Intent.EXTRA_TITLE))
        val file = Uri.parse("content://documents/image.png")
        val written = ByteArrayOutputStream()
        shadowOf(activity.contentResolver).registerOutputStream(file, written)
        shadowOf(activity).receiveResult(started.intent, Activity.RESULT_OK, Intent().setData(file))
        waitUntil("saved") { activity.textOf(R.id.status_text) == activity.getString(R.string.status_saved_file) }
        assertTrue(written.size() > 0)
    }

    @Test
    @Config(sdk = [24])
    fun saysWhenAFileCannotBeWritten() {
        val activity = drawnMain().get()
        activity.click(R.id.save_button)
        val started = shadowOf(activity).nextStartedActivityForResult
        val file = Uri.parse("content://documents/full.png")
        shadowOf(activity.contentResolver).registerOutputStreamSupplier(file) {
            throw IllegalStateException("disk full")
        }
        shadowOf(activity).receiveResult(started.intent, Activity.RESULT_OK, Intent().setData(file))
        assertTrue("disk full" in activity.waitForError())
        assertTrue("the images stay", activity.images().all { it != null })
    }

    @Test
    @Config(sdk = [35, 36])
    fun savesToTheGallery() {
        val gallery = Robolectric.setupContentProvider(Gallery29::class.java, "media")
        val activity = drawnMain().get()
        activity.imageViews()[1].performClick()
        activity.click(R.id.save_button)
        val text = activity.getString(R.string.status_saved_gallery, Gallery.FOLDER)
        waitUntil("saved; it says ${activity.textOf(R.id.error_text)}") { activity.textOf(R.id.status_text) == text }
        val entry = gallery.entries.single()
        assertEquals("tinygan-class0-seed2.png", entry.getAsString("_display_name"))
        assertEquals("Pictures/TinyGAN", entry.getAsString("relative_path"))
        assertEquals("others may see it now", 0, entry.getAsInteger("is_pending"))
        assertTrue(gallery.file.length() > 0)
    }

    @Test
    @Config(sdk = [35, 36])
    fun saysWhenTheGalleryRefuses() {
        Robolectric.setupContentProvider(FullGallery::class.java, "media")
        val activity = drawnMain().get()
        activity.click(R.id.save_button)
        activity.waitForError()
        assertTrue("the images stay", activity.images().all { it != null })
    }

    @Test
    fun namesAreBitmapsOfTheRightSize() {
        val image = checkNotNull(drawnMain().get().images().first())
        assertEquals(Bitmap.Config.ARGB_8888, image.config)
        assertEquals(32 to 32, image.width to image.height)
        assertNotNull(image.pixels())
    }

    private fun provider() = ImageProvider().also { provider ->
        val info = android.content.pm.ProviderInfo().apply { authority = "io.github.tinygan.edge.images" }
        provider.attachInfo(app, info)
    }
}
