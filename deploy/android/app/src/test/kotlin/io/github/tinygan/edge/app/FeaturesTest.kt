package io.github.tinygan.edge.app

import android.app.AlertDialog
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.SystemClock
import android.view.MotionEvent
import android.view.View
import android.widget.ImageView
import android.widget.ListView
import android.widget.TextView
import com.google.zxing.BinaryBitmap
import com.google.zxing.RGBLuminanceSource
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.ClassShare
import io.github.tinygan.edge.core.Fixtures
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.PngRecipe
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.RecordedImages
import io.github.tinygan.edge.core.RecordedOutputs
import io.github.tinygan.edge.core.TruncatedNormal
import io.github.tinygan.edge.core.classWeights
import io.github.tinygan.edge.core.id
import java.io.File
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowDialog

/** Blending, playing, links, favourites and reports. */
@RunWith(RobolectricTestRunner::class)
class FeaturesTest {
    private val manifest = Manifest.read(app.assets::open)
    private val model = manifest.model
    private val blend = Recipe(
        model.id,
        listOf(ClassShare(3, 0.5f), ClassShare(7, 0.3f), ClassShare(9, 0.2f)),
        1u,
        manifest.truncation
    )

    private fun drawn(recipe: Recipe): List<Int> {
        val artifact = manifest.artifact("student_xnnpack_int8.pte")
        val recorded = RecordedImages(model, artifact, RecordedOutputs(Fixtures.recordings(), artifact))
        val latent = TruncatedNormal.latent(recipe.seed, model.zDim, recipe.truncation)
        return recorded.generate(latent, model.classWeights(recipe.classes)).argb.toList()
    }

    private fun MainActivity.shown(): List<List<Int>> = images().map { checkNotNull(it).pixels() }

    private fun open(link: String): MainActivity {
        val intent = Intent(Intent.ACTION_VIEW, Uri.parse(link))
        return Robolectric.buildActivity(MainActivity::class.java, intent).setup().get()
    }

    private fun latestDialog() = ShadowDialog.getLatestDialog() as AlertDialog

    @Test
    fun blendsWithAFinger() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_blend)
        activity.waitForImages()
        assertTrue(activity.isShown(R.id.blend_panel))
        assertFalse("the pad has the classes", activity.isShown(R.id.class_group))
        val pad = activity.view<BlendPad>(R.id.blend_pad)
        pad.layout(0, 0, 400, 300)
        val inset = app.resources.getDimension(R.dimen.pad_inset)
        touch(pad, pad.width / 2f, inset)
        activity.waitForImages()
        val top = Recipe(model.id, listOf(ClassShare(0, 1f)), 1u, manifest.truncation)
        assertEquals("at the top there is one class alone", listOf(drawn(top)), activity.shown())
        assertEquals("0 100.0%", activity.textOf(R.id.blend_label))
        touch(pad, pad.width / 2f, 10_000f)
        activity.waitForImages()
        assertEquals("below the triangle its lower edge", listOf(0, 500, 500), pad.weights)
    }

    private fun touch(view: View, x: Float, y: Float) {
        val time = SystemClock.uptimeMillis()
        for (action in listOf(MotionEvent.ACTION_DOWN, MotionEvent.ACTION_MOVE, MotionEvent.ACTION_UP)) {
            val event = MotionEvent.obtain(time, time, action, x, y, 0)
            assertTrue(view.dispatchTouchEvent(event))
            event.recycle()
        }
        idle()
    }

    @Test
    fun blendsWithTalkBackToo() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_blend)
        activity.waitForImages()
        val pad = activity.view<BlendPad>(R.id.blend_pad)
        assertTrue("$pad", "0 33.4%" in pad.contentDescription.toString())
        val labels = pad.createAccessibilityNodeInfo().actionList.mapNotNull { it.label?.toString() }
        assertTrue("$labels", labels.containsAll(listOf("More of 0", "More of 4", "More of 9")))
        assertTrue(pad.performAccessibilityAction(R.id.action_more_first, null))
        activity.waitForImages()
        assertEquals(1000, pad.weights.sum())
        assertEquals(listOf(394, 303, 303), pad.weights)
    }

    @Test
    fun keepsTheWholeWhateverIsBlended() {
        for (parts in listOf(
            listOf(1f, 1f, 1f),
            listOf(-3f, 2f, 5f),
            listOf(0.0004f, 0.9996f, 0f),
            listOf(0f, 0f, 7f)
        )) {
            val weights = BlendPad.normalised(parts)
            assertEquals("$parts", 1000, weights.sum())
            assertTrue("$parts", weights.all { it >= 0 })
        }
        assertEquals(
            listOf(ClassShare(1, 0.7f), ClassShare(2, 0.3f)),
            BlendPad.shares(listOf(1, 2, 1), listOf(400, 300, 300))
        )
    }

    @Test
    fun followsALink() {
        val activity = open(blend.link)
        activity.waitForImages()
        assertEquals(listOf(drawn(blend)), activity.shown())
        assertEquals("3 50.0%, 7 30.0%, 9 20.0%", activity.textOf(R.id.blend_label))
        val single = blend.copy(classes = listOf(ClassShare(5, 1f)), seed = 7u)
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        controller.newIntent(Intent(Intent.ACTION_VIEW, Uri.parse(single.link)))
        controller.get().waitForImages()
        assertEquals("the seed is the first of the grid", drawn(single), controller.get().shown().first())
    }

    @Test
    fun saysWhyALinkCannotBeFollowed() {
        val wrong = mapOf(
            blend.link.replace("seed=1", "seed=-1") to "seed",
            blend.copy(model = "0123456789abcdef").link to "another model",
            blend.copy(classes = listOf(ClassShare(11, 1f))).link to "class 11"
        )
        for ((link, word) in wrong) {
            val activity = open(link)
            waitUntil("images behind the error") { !activity.isBusy() && activity.images().all { it != null } }
            assertTrue("$link: ${activity.textOf(R.id.error_text)}", word in activity.waitForError())
        }
    }

    @Test
    fun showsTheLinkAsACode() {
        val activity = drawnMain().get()
        activity.click(R.id.link_button)
        val dialog = latestDialog()
        val link = dialog.view<TextView>(R.id.link_text).text.toString()
        assertEquals(Recipe(model.id, listOf(ClassShare(0, 1f)), 1u, manifest.truncation), Recipe.parse(link))
        val code = (dialog.view<ImageView>(R.id.link_code).drawable as android.graphics.drawable.BitmapDrawable).bitmap
        assertEquals("another phone reads it", link, read(code))
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        idle()
        assertEquals(Intent.ACTION_CHOOSER, shadowOf(activity).nextStartedActivity.action)
    }

    private fun read(code: Bitmap): String {
        val source = RGBLuminanceSource(code.width, code.height, code.pixels().toIntArray())
        return QRCodeReader().decode(BinaryBitmap(HybridBinarizer(source))).text
    }

    @Test
    fun hasNoLinkForTwoLatents() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_morph)
        activity.waitForImages()
        assertTrue("one latent still", activity.view<View>(R.id.link_button).isEnabled)
        activity.slide(R.id.latent_position_bar, 25)
        activity.waitForImages()
        assertFalse(activity.view<View>(R.id.link_button).isEnabled)
        assertFalse(activity.view<View>(R.id.favourite_button).isEnabled)
    }

    @Test
    @Config(sdk = [35, 36])
    @GraphicsMode(GraphicsMode.Mode.NATIVE)
    fun putsTheRecipeIntoThePictureAndReadsItAgain() {
        val activity = open(blend.link)
        activity.waitForImages()
        activity.click(R.id.share_button)
        waitUntil("the chooser") { shadowOf(activity).nextStartedActivity != null }
        val file = File(app.cacheDir, "shared").walk().single { it.isFile }
        assertEquals(blend, PngRecipe.read(file.readBytes()))
        val pixels = checkNotNull(android.graphics.BitmapFactory.decodeFile(file.path)).pixels()
        assertEquals("a decoder reads it as before", drawn(blend), pixels)
        shadowOf(app.contentResolver).registerInputStream(Uri.parse("content://mail/1"), file.inputStream())
        val shared = Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, Uri.parse("content://mail/1"))
        val other = Robolectric.buildActivity(MainActivity::class.java, shared).setup().get()
        other.waitForImages()
        assertEquals("drawn from the picture's recipe", listOf(drawn(blend)), other.shown())
    }

    @Test
    fun keepsFavourites() {
        val controller = drawnMain()
        val activity = controller.get()
        activity.imageViews()[2].performClick()
        activity.click(R.id.favourite_button)
        assertEquals(
            app.getString(R.string.favourite_remove),
            activity.view<View>(R.id.favourite_button).contentDescription
        )
        assertEquals(listOf(3uL), app.services.favourites.all.map { it.seed })
        activity.click(R.id.seed_plus)
        activity.waitForImages()
        assertTrue(shadowOf(activity).clickMenuItem(R.id.action_favourites))
        val list = latestDialog().listView
        assertEquals(1, list.adapter.count)
        val row = list.adapter.getView(0, null, list)
        assertEquals("0, seed 3", row.findIn<TextView>(android.R.id.text1).text.toString())
        waitUntil("its picture") { row.findIn<ImageView>(R.id.row_image).hasImage() }
        assertTrue(shadowOf(list as ListView).performItemClick(0))
        activity.waitForImages()
        assertEquals("3", activity.textOf(R.id.seed_edit))
        activity.click(R.id.favourite_button)
        assertEquals(emptyList<Recipe>(), app.services.favourites.all)
    }

    @Test
    fun playsByItselfWhileItIsSeen() {
        val controller = drawnMain()
        val activity = controller.get()
        activity.click(R.id.mode_play)
        waitUntil("the first image") { "a second" in activity.textOf(R.id.status_text) }
        val first = activity.shown()
        assertTrue("it can be stopped", activity.isBusy())
        // On a busy machine the next draw may be scheduled after the first tick.
        waitUntil("the next image") {
            tick()
            activity.shown() != first
        }
        controller.pause().stop()
        waitUntil("the inference thread is free") { app.services.isFree() }
        val resting = activity.shown()
        repeat(3) { tick() }
        assertEquals("nobody sees it", resting, activity.shown())
        controller.start().resume()
        waitUntil("it plays again") { activity.isBusy() }
        waitUntil("another image") {
            tick()
            activity.shown() != resting
        }
        activity.click(R.id.cancel_button)
        val last = activity.shown()
        repeat(3) { tick() }
        assertEquals(last, activity.shown())
        assertEquals(activity.getString(R.string.status_cancelled), activity.textOf(R.id.status_text))
    }

    private fun tick() {
        shadowOf(android.os.Looper.getMainLooper()).idleFor(200, TimeUnit.MILLISECONDS)
        waitUntil("the inference thread is free") { app.services.isFree() }
    }

    @Test
    fun recordsALoopAndSharesIt() {
        val frames = mutableListOf<List<Int>>()
        var isFinished = false
        val controller = drawnMain()
        val activity = controller.get()
        activity.click(R.id.mode_play)
        waitUntil("the first image") { activity.images().size == 1 }
        @Suppress("DEPRECATION")
        (activity.onRetainNonConfigurationInstance() as MainPresenter).exports.videos = VideoMaker { file, size, rate ->
            assertEquals(32 to 15, size to rate)
            object : Video {
                override fun add(image: Image) {
                    frames += image.argb.toList()
                }

                override fun finish() {
                    file.writeText("video")
                    isFinished = true
                }

                override fun close() = Unit
            }
        }
        activity.click(R.id.record_button)
        var chooser: Intent? = null
        waitUntil("the chooser") { shadowOf(activity).nextStartedActivity.also { chooser = it } != null }
        assertTrue(isFinished)
        assertEquals("five seconds", 75, frames.size)
        assertNotEquals("it moves", frames[0], frames[20])
        @Suppress("DEPRECATION")
        val send = checkNotNull(chooser?.getParcelableExtra<Intent>(Intent.EXTRA_INTENT))
        assertEquals("video/mp4", send.type)
        @Suppress("DEPRECATION")
        val uri = checkNotNull(send.getParcelableExtra<Uri>(Intent.EXTRA_STREAM))
        assertEquals("tinygan-loop-seed1.mp4", uri.lastPathSegment)
        assertEquals("video/mp4", ImageProvider().getType(uri))
    }

    @Test
    fun saysWhenAVideoCannotBeEncoded() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_play)
        waitUntil("the first image") { activity.images().size == 1 }
        @Suppress("DEPRECATION")
        (activity.onRetainNonConfigurationInstance() as MainPresenter).exports.videos = VideoMaker { _, _, _ ->
            throw java.io.IOException("this phone encodes no video of 512 pixels")
        }
        activity.click(R.id.record_button)
        assertTrue("512" in activity.waitForError())
        assertFalse(activity.isBusy())
    }

    @Test
    fun reportsAnImageWithItsRecipe() {
        val activity = drawnMain().get()
        assertTrue(shadowOf(activity).clickMenuItem(R.id.action_report))
        var chooser: Intent? = null
        waitUntil("the chooser") { shadowOf(activity).nextStartedActivity.also { chooser = it } != null }
        @Suppress("DEPRECATION")
        val send = checkNotNull(chooser?.getParcelableExtra<Intent>(Intent.EXTRA_INTENT))
        assertTrue("class=0&seed=1" in send.getStringExtra(Intent.EXTRA_TEXT).orEmpty())
        assertEquals("image/png", send.type)
    }

    @Test
    fun showsEveryLicence() {
        val activity = Robolectric.buildActivity(LicencesActivity::class.java).setup().get()
        val text = activity.textOf(R.id.licences_text)
        for (word in listOf(
            "ExecuTorch",
            "LiteRT",
            "ZXing",
            "kotlinx",
            "fbjni",
            "Apache License",
            "Version 2.0",
            "BSD 3-Clause"
        )) {
            assertTrue(word, word in text)
        }
    }

    @Test
    fun saysTheFirstImageByItself() {
        val done = Status.Done(9, 40.0, 2.0)
        val text = app.resources.getQuantityString(R.plurals.status_done, done.count, 9, done.firstMilliseconds, 2.0)
        assertEquals("9 images: the first in 40.0 ms, then 2.0 ms each", text.replace('\u00a0', ' '))
    }

    @Test
    fun speaksOutcomesAndNotEveryImage() {
        val gate = Gate(after = Settings.GRID_COUNT + 1) // the golden image and a grid
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val activity = drawnMain().get()
        val status = activity.view<TextView>(R.id.status_text)
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_NONE, status.accessibilityLiveRegion)
        activity.slide(R.id.truncation_bar, 29)
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_NONE, status.accessibilityLiveRegion)
        activity.click(R.id.cancel_button)
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, status.accessibilityLiveRegion)
        gate.open()
    }
}
