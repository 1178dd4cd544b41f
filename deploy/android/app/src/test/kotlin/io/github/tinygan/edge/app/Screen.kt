package io.github.tinygan.edge.app

import android.app.Activity
import android.app.Dialog
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.drawable.BitmapDrawable
import android.os.Bundle
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.view.accessibility.AccessibilityNodeInfo
import android.view.accessibility.AccessibilityNodeInfo.AccessibilityAction
import android.widget.CompoundButton
import android.widget.ImageView
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.io.File
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** The application of a test. */
val app: TestApplication get() = RuntimeEnvironment.getApplication() as TestApplication

/** Starts the main screen. */
fun startMain(): ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java).setup()

/** Starts the main screen and waits for its first images. */
fun drawnMain(): ActivityController<MainActivity> = startMain().also { it.get().waitForImages() }

/** Starts the benchmark as `adb shell am start` does, with extras of int or string. */
fun startBenchmark(vararg extras: Pair<String, Any>): ActivityController<BenchmarkActivity> {
    val intent = Intent(app, BenchmarkActivity::class.java)
    for ((name, value) in extras) if (value is Int) intent.putExtra(name, value) else intent.putExtra(name, "$value")
    return Robolectric.buildActivity(BenchmarkActivity::class.java, intent).setup()
}

/** Lets the main thread work until [done], a minute at most. */
fun waitUntil(what: String, done: () -> Boolean) {
    val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60)
    while (!done()) {
        if (System.nanoTime() > end) throw AssertionError("waited in vain: $what")
        idle()
        Thread.sleep(2)
    }
    idle()
}

/** Lets the main thread do what it was given. */
fun idle() = shadowOf(Looper.getMainLooper()).idle()

/** Returns a view of a dialog that must be there. */
fun <T : View> Dialog.view(id: Int): T =
    checkNotNull(findViewById<T>(id)) { context.resources.getResourceEntryName(id) }

/** What a view says, with plain spaces. */
fun Activity.textOf(id: Int): String = view<TextView>(id).text.toString().replace('\u00a0', ' ')

fun Activity.isShown(id: Int): Boolean = view<View>(id).visibility == View.VISIBLE

/** Clicks a view, which must be one that can be clicked. */
fun Activity.click(id: Int) {
    val view = view<View>(id)
    assertTrue("${resources.getResourceEntryName(id)} is enabled", view.isEnabled)
    // A radio button changes without a listener, and then says that nobody listened.
    assertTrue("${resources.getResourceEntryName(id)} does something", view.performClick() || view is CompoundButton)
    idle()
}

/** Moves a slider as TalkBack does. */
fun Activity.slide(id: Int, progress: Int) {
    val value = Bundle().apply {
        putFloat(AccessibilityNodeInfo.ACTION_ARGUMENT_PROGRESS_VALUE, progress.toFloat())
    }
    val bar = view<SeekBar>(id)
    val moved = bar.progress != progress
    assertEquals(moved, bar.performAccessibilityAction(AccessibilityAction.ACTION_SET_PROGRESS.id, value))
    assertEquals(progress, bar.progress)
    idle()
}

/** Chooses an item of a drop-down list by what it says. */
fun Activity.select(id: Int, text: String) {
    val spinner = view<Spinner>(id)
    val items = List(spinner.adapter.count) { spinner.adapter.getItem(it).toString() }
    val position = items.indexOfFirst { text in it }
    assertTrue("$text is one of $items", position >= 0)
    spinner.setSelection(position)
    shadowOf(Looper.getMainLooper()).idle()
    spinner.measure(0, 0) // the framework tells of a selection while it lays out
    spinner.layout(spinner.left, spinner.top, spinner.right, spinner.bottom)
    idle()
}

/** The images on the main screen; null where there is none yet. */
fun Activity.images(): List<Bitmap?> = imageViews().map { (it.drawable as? BitmapDrawable)?.bitmap }

fun Activity.imageViews(): List<ImageView> =
    view<PictureGrid>(R.id.grid).let { grid -> List(grid.childCount) { grid.getChildAt(it) as ImageView } }

/** Waits until everything is drawn. */
fun Activity.waitForImages() {
    waitUntil("images; it says ${textOf(R.id.status_text)} ${textOf(R.id.error_text)}") {
        !isBusy() || isShown(R.id.error_text)
    }
    assertFalse("an error: ${textOf(R.id.error_text)}", isShown(R.id.error_text))
    assertTrue("all images are there", images().all { it != null })
}

/** Waits for the one sentence that says what is wrong. */
fun Activity.waitForError(): String {
    waitUntil("an error") { isShown(R.id.error_text) }
    val sentence = textOf(R.id.error_text)
    assertTrue("one sentence: $sentence", sentence.endsWith(".") && '\n' !in sentence && "%" !in sentence)
    return sentence
}

fun Activity.isBusy(): Boolean = view<View>(R.id.cancel_button).isEnabled

/** Whether a view shows an image; one that was cleared has a drawable without a bitmap. */
fun ImageView.hasImage(): Boolean = (drawable as? BitmapDrawable)?.bitmap != null

/** The pixels of an image, for comparing. */
fun Bitmap.pixels(): List<Int> = IntArray(width * height).also { getPixels(it, 0, width, 0, 0, width, height) }.toList()

/** Draws a screen into a picture, without times and sizes of memory: those of a test are not those of a phone. */
fun Activity.photograph(name: String, root: View = window.decorView) {
    blankMeasurements(root)
    idle()
    assertTrue("laid out: ${root.width} x ${root.height}", root.width > 0 && root.height > 0)
    val bitmap = Bitmap.createBitmap(root.width, root.height, Bitmap.Config.ARGB_8888)
    root.draw(Canvas(bitmap))
    val file = File(checkNotNull(System.getProperty("check.pictures")), "$name.png")
    file.outputStream().use { assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)) }
}

private val measurement = Regex("[\\d.,]+(?=[\\s\u00a0]([mk]?s|[kMG]B|images a second)\\b)")

private fun blankMeasurements(view: View) {
    if (view is TextView && measurement.containsMatchIn(view.text) && view.id in MEASURED) {
        view.text = measurement.replace(view.text, "–")
    }
    if (view is ViewGroup) for (index in 0 until view.childCount) blankMeasurements(view.getChildAt(index))
}

private val MEASURED = setOf(R.id.status_text, R.id.row_latency, R.id.row_details, R.id.lane_rate)
