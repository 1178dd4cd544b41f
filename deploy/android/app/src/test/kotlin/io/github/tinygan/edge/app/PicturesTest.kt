package io.github.tinygan.edge.app

import android.view.View
import android.widget.TextView
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Pictures of the screens, with the images that the model's own runtime drew on the host. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35, 36], qualifiers = "w411dp-h914dp-port-xxhdpi")
class PicturesTest {
    @Test
    fun theMainScreen() {
        drawnMain().get().photograph("main")
    }

    @Test
    fun theMainScreenInLandscape() {
        RuntimeEnvironment.setQualifiers("w914dp-h411dp-land")
        drawnMain().get().photograph("landscape")
    }

    @Test
    fun theDarkTheme() {
        RuntimeEnvironment.setQualifiers("+night")
        drawnMain().get().photograph("dark")
    }

    @Test
    fun aMorph() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_morph)
        activity.slide(R.id.latent_position_bar, 25)
        activity.waitForImages()
        activity.photograph("morph")
    }

    @Test
    fun theBenchmark() {
        val activity = startBenchmark("warmup" to 2, "rounds" to 10).get()
        waitUntil("the end of the benchmark") { !activity.view<View>(R.id.benchmark_cancel).isEnabled }
        val report = BenchmarkReport.file(app)
        activity.view<TextView>(R.id.benchmark_status).apply { text = text.toString().replace("${report.parent}/", "") }
        activity.photograph("benchmark")
    }

    @Test
    fun aBlend() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_blend)
        activity.waitForImages()
        activity.photograph("blend")
    }

    @Test
    fun aLink() {
        val activity = drawnMain().get()
        activity.click(R.id.link_button)
        activity.photograph(
            "link",
            checkNotNull(org.robolectric.shadows.ShadowDialog.getLatestDialog().window).decorView
        )
    }

    @Test
    fun theRace() {
        finishedRace().get().photograph("race")
    }

    @Test
    fun playing() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_play)
        waitUntil("the first image") { "a second" in activity.textOf(R.id.status_text) }
        activity.photograph("play")
    }

    @Test
    fun theLicences() {
        org.robolectric.Robolectric.buildActivity(LicencesActivity::class.java).setup().get().photograph("licences")
    }

    @Test
    fun aTablet() {
        RuntimeEnvironment.setQualifiers("w800dp-h1280dp-port-mdpi")
        drawnMain().get().photograph("tablet")
    }

    @Test
    fun anError() {
        app.useRealRuntimes()
        val activity = startMain().get()
        activity.waitForError()
        activity.photograph("error")
    }

    @Test
    fun theClassPicker() {
        val activity = drawnMain().get()
        activity.click(R.id.class_button)
        val root = checkNotNull(org.robolectric.shadows.ShadowDialog.getLatestDialog().window).decorView
        val list = org.robolectric.shadows.ShadowDialog.getLatestDialog().view<android.widget.ListView>(
            R.id.picker_list
        )
        waitUntil("the thumbnails") {
            list.childCount > 0 && List(list.childCount) { list.getChildAt(it) }.all { row ->
                row.findIn<android.widget.ImageView>(R.id.row_image).hasImage()
            }
        }
        activity.photograph("picker", root)
    }

    @Test
    @Config(qualifiers = "w320dp-h480dp-port-mdpi")
    fun aSmallPhone() {
        drawnMain().get().photograph("small")
    }

    @Test
    @Config(fontScale = 2f)
    fun largeLetters() {
        drawnMain().get().photograph("large_letters")
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-w411dp-h914dp-port-xxhdpi")
    fun rightToLeft() {
        drawnMain().get().photograph("right_to_left")
    }
}
