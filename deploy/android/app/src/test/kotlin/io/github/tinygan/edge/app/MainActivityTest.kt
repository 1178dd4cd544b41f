package io.github.tinygan.edge.app

import android.view.View
import android.widget.EditText
import android.widget.ListView
import android.widget.SeekBar
import android.widget.Spinner
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Fixtures
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.Morph
import io.github.tinygan.edge.core.RecordedImages
import io.github.tinygan.edge.core.RecordedOutputs
import io.github.tinygan.edge.core.TruncatedNormal
import java.util.concurrent.CountDownLatch
import kotlin.coroutines.EmptyCoroutineContext
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowDialog

@RunWith(RobolectricTestRunner::class)
class MainActivityTest {
    private val manifest = Manifest.read(app.assets::open)
    private val model = manifest.model

    /** What the model in [file] gives, as pixels. */
    private fun drawn(latent: FloatArray, weights: FloatArray, file: String = "student_xnnpack_int8.pte"): List<Int> {
        val artifact = manifest.artifact(file)
        val outputs = RecordedOutputs(Fixtures.recordings(), artifact)
        return RecordedImages(model, artifact, outputs).generate(latent, weights).argb.toList()
    }

    private fun grid(seed: ULong, index: Int, truncation: Double = manifest.truncation): List<List<Int>> =
        TruncatedNormal.consecutiveSeeds(seed, Settings.GRID_COUNT).map {
            drawn(TruncatedNormal.latent(it, model.zDim, truncation), model.classWeights(index))
        }

    private fun MainActivity.shown(): List<List<Int>> = images().map { checkNotNull(it).pixels() }

    private fun MainActivity.chooseClass(button: Int, index: Int) {
        click(button)
        val dialog = ShadowDialog.getLatestDialog()
        assertTrue("the picker is open", dialog.isShowing)
        val list = dialog.view<ListView>(R.id.picker_list)
        assertTrue(shadowOf(list).performItemClick(model.drawable.indexOf(index)))
        idle()
        assertFalse("the picker closes", dialog.isShowing)
    }

    @Test
    fun drawsAGridAtTheFirstStart() {
        val activity = drawnMain().get()
        assertEquals(grid(1u, 0), activity.shown())
        assertTrue(activity.textOf(R.id.status_text).startsWith("9 images"))
        assertEquals("Image 2 of 9: 0, seed 2", activity.imageViews()[1].contentDescription)
        assertTrue("nothing to cancel", !activity.isBusy())
    }

    @Test
    fun drawsTheClassThatIsChosen() {
        val activity = drawnMain().get()
        activity.chooseClass(R.id.class_button, 7)
        activity.waitForImages()
        assertEquals(grid(1u, 7), activity.shown())
        assertEquals("7", activity.textOf(R.id.class_button))
    }

    @Test
    fun drawsTheSeedThatIsTyped() {
        val activity = drawnMain().get()
        val seed = activity.view<EditText>(R.id.seed_edit)
        seed.setText("18446744073709551614")
        activity.waitForImages()
        assertEquals("seeds wrap", grid(ULong.MAX_VALUE - 1u, 0), activity.shown())
        seed.setText("18446744073709551616")
        assertTrue("${seed.error}", "18446744073709551615" in seed.error)
        seed.setText("7")
        assertNull(seed.error)
        activity.waitForImages()
        assertEquals(grid(7u, 0), activity.shown())
    }

    @Test
    fun countsSeedsUpAndDown() {
        val activity = drawnMain().get()
        activity.view<EditText>(R.id.seed_edit).setText("6")
        activity.click(R.id.seed_plus)
        assertEquals("7", activity.textOf(R.id.seed_edit))
        activity.waitForImages()
        assertEquals(grid(7u, 0), activity.shown())
        activity.click(R.id.seed_minus)
        assertEquals("6", activity.textOf(R.id.seed_edit))
        activity.click(R.id.seed_random)
        assertTrue(activity.textOf(R.id.seed_edit).toULong() < 1_000_000u)
    }

    @Test
    fun movesTheTruncation() {
        val activity = drawnMain().get()
        activity.slide(R.id.truncation_bar, 29)
        activity.waitForImages()
        assertEquals(grid(1u, 0, 0.3), activity.shown())
        assertEquals("Truncation 0.30", activity.textOf(R.id.truncation_label))
        activity.slide(R.id.truncation_bar, 99)
        activity.waitForImages()
        assertEquals(grid(1u, 0, 1.0), activity.shown())
        val label = activity.textOf(R.id.truncation_label)
        assertTrue(label, "above" in label && "0.50" in label)
        val spoken = activity.view<SeekBar>(R.id.truncation_bar).contentDescription.toString().replace('\u00a0', ' ')
        assertEquals("TalkBack says it too", label, spoken)
    }

    @Test
    fun morphsBetweenClassesAndLatents() {
        val activity = drawnMain().get()
        assertFalse(activity.isShown(R.id.morph_panel))
        activity.click(R.id.mode_morph)
        assertTrue(activity.isShown(R.id.morph_panel))
        activity.chooseClass(R.id.class_button, 3)
        activity.chooseClass(R.id.morph_class_button, 8)
        for ((classStep, latentStep) in listOf(0 to 0, 25 to 0, 50 to 75, 100 to 100)) {
            activity.slide(R.id.class_position_bar, classStep)
            activity.slide(R.id.latent_position_bar, latentStep)
            activity.waitForImages()
            val ends = listOf(1uL, 2uL).map { TruncatedNormal.latent(it, model.zDim, manifest.truncation) }
            val latent = Morph.between(ends[0], ends[1], latentStep / 100f)
            val weights = Morph.between(model.classWeights(3), model.classWeights(8), classStep / 100f)
            assertEquals("at $classStep, $latentStep", listOf(drawn(latent, weights)), activity.shown())
        }
        assertEquals("Image between 3 and 8", activity.imageViews().single().contentDescription)
        assertEquals("Class 3: 0%, class 8: 100%", activity.textOf(R.id.class_position_label))
        activity.click(R.id.mode_grid)
        activity.waitForImages()
        assertEquals(grid(1u, 3), activity.shown())
    }

    @Test
    fun drawsWithTheModelAndTheThreadsThatAreChosen() {
        val activity = drawnMain().get()
        val offers = activity.view<Spinner>(R.id.model_spinner).adapter
        assertTrue("int8 comes first", offers.getItem(0).toString().startsWith("ExecuTorch, int8"))
        activity.select(R.id.model_spinner, "LiteRT, int8")
        activity.waitForImages()
        val first = activity.shown().first()
        val latent = TruncatedNormal.latent(1u, model.zDim, manifest.truncation)
        assertEquals(drawn(latent, model.classWeights(0), "student_int8.tflite"), first)
        val (executorch, litert) = app.runtimes.map { it as StagedRuntime }
        assertEquals(listOf("student_xnnpack_int8.pte" to 1), executorch.opened)
        assertEquals(listOf("student_int8.tflite" to 1), litert.opened)
        assertEquals("there may be memory for one only", 1, executorch.closed)
        activity.select(R.id.threads_spinner, "4 threads (the big cores)")
        activity.waitForImages()
        assertEquals("student_int8.tflite" to 4, litert.opened.last())
    }

    @Test
    fun checksTheGoldenImageOnceForEachInstallation() {
        var draws = 0
        app.runtimes = listOf(
            StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack") {
                draws++
                it()
            }
        )
        val controller = drawnMain()
        assertEquals("the golden image and a grid", Settings.GRID_COUNT + 1, draws)
        controller.get().click(R.id.generate_button)
        controller.get().waitForImages()
        assertEquals(2 * Settings.GRID_COUNT + 1, draws)
        app.services.releaseSoon()
        controller.get().click(R.id.generate_button)
        controller.get().waitForImages()
        assertEquals("it was right before", 3 * Settings.GRID_COUNT + 1, draws)
    }

    @Test
    fun cancelsBetweenTwoImages() {
        val gate = Gate(after = 3)
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val activity = startMain().get()
        waitUntil("two images") { activity.images().count { it != null } == 2 }
        assertTrue(activity.isBusy())
        assertTrue(activity.isShown(R.id.progress))
        activity.click(R.id.cancel_button)
        assertEquals(activity.getString(R.string.status_cancelled), activity.textOf(R.id.status_text))
        assertFalse(activity.isShown(R.id.progress))
        gate.open()
        waitUntil("the worker is free") { app.services.isFree() }
        assertEquals("what was drawn stays, nothing follows", 2, activity.images().count { it != null })
        activity.click(R.id.generate_button)
        activity.waitForImages()
        assertEquals(grid(1u, 0), activity.shown())
    }

    @Test
    fun keepsEverythingOverARotation() {
        val controller = drawnMain()
        val before = controller.get()
        before.chooseClass(R.id.class_button, 5)
        before.slide(R.id.truncation_bar, 29)
        before.waitForImages()
        before.imageViews()[4].performClick()
        val shown = before.shown()
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        idle()
        val after = controller.get()
        assertNotSame(before, after)
        assertEquals("at once, without drawing again", shown, after.shown())
        assertEquals("5", after.textOf(R.id.class_button))
        assertEquals(29, after.view<SeekBar>(R.id.truncation_bar).progress)
        assertTrue(after.imageViews()[4].isSelected)
        assertEquals(1, (app.runtimes.first() as StagedRuntime).opened.size)
    }

    @Test
    fun goesOnDrawingOverARotation() {
        val gate = Gate(after = 4)
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val controller = startMain()
        waitUntil("three images") { controller.get().images().count { it != null } == 3 }
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        idle()
        val after = controller.get()
        assertTrue("still drawing", after.isBusy())
        gate.open()
        after.waitForImages()
        assertEquals(grid(1u, 0), after.shown())
    }

    @Test
    fun keepsTheSettingsOverTheEndOfTheProcess() {
        val first = drawnMain()
        first.get().chooseClass(R.id.class_button, 7)
        first.get().view<EditText>(R.id.seed_edit).setText("18446744073709551614")
        first.get().waitForImages()
        val saved = android.os.Bundle()
        first.saveInstanceState(saved).pause().stop().destroy()
        val second = org.robolectric.Robolectric.buildActivity(MainActivity::class.java).setup(saved)
        second.get().waitForImages()
        assertEquals(grid(ULong.MAX_VALUE - 1u, 7), second.get().shown())
        assertEquals("18446744073709551614", second.get().textOf(R.id.seed_edit))
    }

    @Test
    fun dropsItsWorkWhenItIsClosed() {
        val gate = Gate(after = 2)
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val controller = startMain()
        waitUntil("one image") { controller.get().images().count { it != null } == 1 }
        controller.get().finish()
        controller.pause().stop().destroy()
        gate.open()
        waitUntil("the worker is free") { app.services.isFree() }
        assertTrue("not all nine were drawn: ${gate.calls}", gate.calls <= 3)
    }

    @Test
    fun freesTheModelWhenNobodyLooks() {
        drawnMain()
        val runtime = app.runtimes.first() as StagedRuntime
        assertEquals(0, runtime.closed)
        app.onTrimMemory(android.content.ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        waitUntil("the model is freed") { runtime.closed == 1 }
    }

    @Test
    fun wearsADarkTheme() {
        val light = drawnMain().get().backgroundColor()
        RuntimeEnvironment.setQualifiers("+night")
        val dark = drawnMain().get()
        assertNotEquals(light, dark.backgroundColor())
        assertEquals(grid(1u, 0), dark.shown())
    }

    @Test
    fun tellsTalkBackWhatEverythingIs() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_morph)
        activity.waitForImages()
        val silent = everyView(activity.view(android.R.id.content)).filter {
            (it.isClickable || it.isFocusable) && it.isShown && it !is android.view.ViewGroup && !it.speaks()
        }
        assertEquals(emptyList<String>(), silent.map { it.resources.getResourceEntryName(it.id) })
    }

    private fun View.speaks(): Boolean {
        val text = (this as? android.widget.TextView)?.let { "${it.text}${it.hint.orEmpty()}" }.orEmpty()
        return !contentDescription.isNullOrBlank() || text.isNotBlank() || labelFor != View.NO_ID
    }

    private fun CharSequence?.orEmpty(): CharSequence = this ?: ""

    private fun everyView(view: View): List<View> {
        if (view !is android.view.ViewGroup) return listOf(view)
        return listOf(view) + List(view.childCount) { everyView(view.getChildAt(it)) }.flatten()
    }

    private fun MainActivity.backgroundColor(): Int {
        val value = android.util.TypedValue()
        assertTrue(theme.resolveAttribute(android.R.attr.colorBackground, value, true))
        return value.data
    }
}

/** Lets images through until the one after [after], which waits for [open]. */
class Gate(private val after: Int) : (() -> Image) -> Image {
    private val latch = CountDownLatch(1)

    @Volatile
    var calls = 0
        private set

    override fun invoke(draw: () -> Image): Image {
        calls++
        if (calls > after) latch.await()
        return draw()
    }

    fun open() = latch.countDown()
}

/** Whether everything that was started on the inference thread before has ended. */
fun Services.isFree(): Boolean {
    val ended = CountDownLatch(1)
    inference.dispatch(EmptyCoroutineContext) { ended.countDown() }
    return ended.await(1, java.util.concurrent.TimeUnit.SECONDS)
}
