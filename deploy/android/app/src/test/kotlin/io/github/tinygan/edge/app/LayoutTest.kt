package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.app.Activity
import android.graphics.Color
import android.graphics.Insets
import android.graphics.Rect
import android.view.View
import android.view.View.MeasureSpec
import android.view.WindowInsets
import android.widget.EditText
import android.widget.ListView
import android.widget.ScrollView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowDialog

/** Every screen on phones and tablets, upright and lying: the last row of every list can be reached. */
@RunWith(RobolectricTestRunner::class)
class LayoutTest {
    private val screens = listOf(
        "w320dp-h480dp-port-mdpi",
        "w411dp-h914dp-port-mdpi",
        "w640dp-h360dp-land-mdpi",
        "w914dp-h411dp-land-mdpi",
        "w600dp-h960dp-port-mdpi"
    )

    private val touch get() = app.resources.getDimensionPixelSize(R.dimen.touch)

    /** Checks that a part that scrolls is inside its window and high enough, and that its end comes into sight. */
    private fun reachesTheEnd(what: String, scroll: View, root: View) {
        val seen = Rect()
        assertTrue("$what is seen", scroll.getGlobalVisibleRect(seen))
        assertEquals("$what is seen whole", scroll.height, seen.height())
        assertTrue("$what is ${scroll.height} high", scroll.height >= touch)
        val place = IntArray(2).also(scroll::getLocationInWindow)
        val bottom = place[1] + scroll.height
        assertTrue("$what ends at $bottom of ${root.height}", bottom <= root.height - root.paddingBottom)
        when (scroll) {
            is ScrollView -> {
                val content = scroll.getChildAt(0)
                scroll.scrollTo(0, content.height)
                val end = content.height - scroll.scrollY
                assertTrue("$what scrolls to its end: $end of ${scroll.height}", end <= scroll.height)
            }

            is ListView -> {
                val last = scroll.adapter.count - 1
                scroll.setSelection(last)
                idle()
                relayout(scroll)
                assertEquals("$what shows its last row", last, scroll.lastVisiblePosition)
                val row = scroll.getChildAt(scroll.childCount - 1)
                assertTrue(
                    "$what shows its last row whole: ${row.bottom} of ${scroll.height}",
                    row.bottom <= scroll.height
                )
            }
        }
    }

    private fun relayout(view: View) {
        view.measure(
            MeasureSpec.makeMeasureSpec(view.width, MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec(view.height, MeasureSpec.EXACTLY)
        )
        view.layout(view.left, view.top, view.right, view.bottom)
    }

    @Test
    fun theMainScreenAndItsPickerReachTheirEnds() {
        for (screen in screens) {
            RuntimeEnvironment.setQualifiers(screen)
            val activity = drawnMain().get()
            for (mode in listOf(R.id.mode_grid, R.id.mode_morph, R.id.mode_blend)) {
                activity.click(mode)
                activity.waitForImages()
                relayout(activity.window.decorView)
                reachesTheEnd("$screen: the controls", activity.view(R.id.controls_scroll), activity.view(R.id.root))
                val grid = activity.view<View>(R.id.grid)
                assertTrue("$screen: images of ${grid.height}", grid.height >= touch && grid.width >= touch)
            }
            activity.click(R.id.corner_third)
            val dialog = checkNotNull(ShadowDialog.getLatestDialog().window).decorView
            val display = activity.resources.displayMetrics
            assertTrue("$screen: a dialog of ${dialog.height}", dialog.height <= display.heightPixels)
            reachesTheEnd(
                "$screen: the classes",
                ShadowDialog.getLatestDialog().view<ListView>(R.id.picker_list),
                dialog
            )
        }
    }

    @Test
    fun theOtherScreensReachTheirEnds() {
        for (screen in screens) {
            RuntimeEnvironment.setQualifiers(screen)
            val benchmark = startBenchmark("rounds" to 1, "warmup" to 0).get()
            waitUntil("the benchmark's end") { !benchmark.view<View>(R.id.benchmark_cancel).isEnabled }
            check(screen, benchmark, R.id.benchmark_scroll)
            check(screen, finishedRace().get(), R.id.race_scroll)
            check(screen, Robolectric.buildActivity(LicencesActivity::class.java).setup().get(), R.id.licences_scroll)
        }
    }

    private fun check(screen: String, activity: Activity, scroll: Int) {
        relayout(activity.window.decorView)
        reachesTheEnd("$screen, ${activity.javaClass.simpleName}", activity.view(scroll), activity.view(R.id.root))
    }

    @Test
    @Config(sdk = [35, 36])
    @TargetApi(35)
    fun theControlsStayUsableAboveAKeyboard() {
        for (screen in screens.filter { "land" !in it }) {
            RuntimeEnvironment.setQualifiers(screen)
            val activity = drawnMain().get()
            val root = activity.view<View>(R.id.root)
            val keyboard = activity.resources.displayMetrics.heightPixels * 45 / 100
            val bars = Insets.of(0, 24, 0, 48)
            val insets = WindowInsets.Builder()
                .setInsets(WindowInsets.Type.systemBars(), bars)
                .setInsets(WindowInsets.Type.ime(), Insets.of(0, 0, 0, keyboard))
                .setVisible(WindowInsets.Type.ime(), true)
                .build()
            root.dispatchApplyWindowInsets(insets)
            assertEquals(
                "clear of the keyboard and the status bar",
                24 to keyboard,
                root.paddingTop to root.paddingBottom
            )
            relayout(activity.window.decorView)
            val scroll = activity.view<ScrollView>(R.id.controls_scroll)
            reachesTheEnd("$screen with a keyboard", scroll, root)
            val field = activity.view<EditText>(R.id.seed_edit)
            assertTrue(field.requestFocus())
            field.requestRectangleOnScreen(Rect(0, 0, field.width, field.height), true)
            val seen = Rect()
            assertTrue("$screen: the seed is seen while it is typed", field.getGlobalVisibleRect(seen))
            assertEquals("$screen: all of it", field.height, seen.height())
            root.dispatchApplyWindowInsets(
                WindowInsets.Builder().setInsets(WindowInsets.Type.systemBars(), bars).build()
            )
            assertEquals(View.VISIBLE, activity.view<View>(R.id.actions).visibility)
        }
    }

    @Test
    fun tabletsAndLyingPhonesHaveTwoColumns() {
        for (screen in screens) {
            RuntimeEnvironment.setQualifiers(screen)
            val activity = drawnMain().get()
            relayout(activity.window.decorView)
            val controls = activity.view<View>(R.id.controls_scroll)
            val isWide = activity.resources.configuration.screenWidthDp >= 480
            assertEquals(screen, isWide, controls.width <= activity.view<View>(R.id.root).width / 2)
        }
    }

    @Test
    fun bordersAndTextsStandOut() {
        for (night in listOf("notnight", "night")) {
            RuntimeEnvironment.setQualifiers("+$night")
            fun color(id: Int) = app.resources.getColor(id, null)
            val grounds = listOf(R.color.background, R.color.surface).map(::color)
            for (ground in grounds) {
                for (border in listOf(R.color.outline, R.color.primary)) {
                    assertTrue("$night: ${contrast(color(border), ground)}", contrast(color(border), ground) >= 3)
                }
                for (text in listOf(R.color.text, R.color.text_secondary)) {
                    assertTrue("$night: ${contrast(color(text), ground)}", contrast(color(text), ground) >= 4.5)
                }
            }
            assertTrue(contrast(color(R.color.on_primary), color(R.color.primary)) >= 4.5)
            assertTrue(contrast(color(R.color.on_error_surface), color(R.color.error_surface)) >= 4.5)
        }
        assertNotNull(app)
    }

    /** Of WCAG 2.2. */
    private fun contrast(first: Int, second: Int): Double {
        val (low, high) = listOf(luminance(first), luminance(second)).sorted()
        return (high + 0.05) / (low + 0.05)
    }

    private fun luminance(color: Int): Double {
        fun part(value: Int) = (value / 255.0).let {
            if (it <=
                0.04045
            ) {
                it / 12.92
            } else {
                Math.pow((it + 0.055) / 1.055, 2.4)
            }
        }
        return 0.2126 * part(Color.red(color)) + 0.7152 * part(Color.green(color)) + 0.0722 * part(Color.blue(color))
    }
}
