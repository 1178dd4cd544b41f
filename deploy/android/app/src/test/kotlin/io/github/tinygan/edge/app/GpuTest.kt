package io.github.tinygan.edge.app

import android.widget.Spinner
import io.github.tinygan.edge.core.Artifact
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** A GPU may refuse a model, or end the app. */
@RunWith(RobolectricTestRunner::class)
class GpuTest {
    private var refuses = false
    private val gpu = object : StagedRuntime("LiteRT GPU", Artifact.TFLITE, "litert", { draw ->
        if (refuses) throw IllegalStateException("this driver has no OpenCL") else draw()
    }) {
        override val unit = "gpu"
        override val isRisky = true

        override fun runs(artifact: Artifact) = super.runs(artifact) && artifact.precision == "fp32"
    }

    @Before
    fun offerAGpu() {
        app.runtimes += gpu
    }

    private fun MainActivity.offers(): List<String> =
        view<Spinner>(R.id.model_spinner).adapter.let { offers -> List(offers.count) { offers.getItem(it).toString() } }

    @Test
    fun isAChoiceForFloats() {
        val activity = drawnMain().get()
        assertEquals(1, activity.offers().count { it.startsWith("LiteRT GPU, fp32") })
        activity.select(R.id.model_spinner, "LiteRT GPU")
        activity.waitForImages()
        assertEquals(listOf("student_fp32.tflite" to 1), gpu.opened)
    }

    @Test
    fun givesTheWorkBackWhenItRefuses() {
        refuses = true
        val activity = drawnMain().get()
        activity.select(R.id.model_spinner, "LiteRT GPU")
        waitUntil("the processor draws") { !activity.isBusy() && activity.images().all { it != null } }
        assertTrue("OpenCL" in activity.waitForError())
        assertTrue(activity.view<Spinner>(R.id.model_spinner).selectedItem.toString().startsWith("ExecuTorch"))
        assertTrue("a refusal is no crash", drawnMain().get().offers().any { "GPU" in it })
    }

    @Test
    fun isNotTriedAgainAfterItEndedTheApp() {
        drawnMain()
        val offer = app.services.store.catalog().offers.single { it.runtime.isRisky }
        // What the next process finds: the attempt was begun, and nothing after it was written.
        val file = app.getSharedPreferences("tried", android.content.Context.MODE_PRIVATE)
        CrashGuard(app).guard(offer.id) {
            val mark = file.getString(offer.id, null)
            assertFalse("nothing is held against what goes on", mark == null)
            file.edit().putString("${offer.id} copy", mark).apply()
        }
        file.edit().putString(offer.id, file.getString("${offer.id} copy", null)).apply()
        assertTrue(CrashGuard(app).crashed(offer.id))
        val activity = startMain().get()
        waitUntil("images behind the sentence") { !activity.isBusy() && activity.images().all { it != null } }
        assertTrue("LiteRT GPU" in activity.waitForError())
        assertFalse(activity.offers().any { "GPU" in it })
    }

    @Test
    fun forgetsAnAttemptThatEndsWithAnException() {
        val guard = CrashGuard(app)
        assertThrows(IllegalStateException::class.java) { guard.guard("a") { error("refused") } }
        assertFalse(CrashGuard(app).crashed("a"))
    }
}
