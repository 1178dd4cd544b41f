package io.github.tinygan.edge.app

import android.content.Intent
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import io.github.tinygan.edge.core.Artifact
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** Starts a race of one turn and waits for its end. */
fun finishedRace(): ActivityController<RaceActivity> {
    val intent = Intent(app, RaceActivity::class.java).putExtra("turns", 1)
    val controller = Robolectric.buildActivity(RaceActivity::class.java, intent).setup()
    waitUntil("the end of the race") { controller.get().view<View>(R.id.race_share).isEnabled }
    return controller
}

@RunWith(RobolectricTestRunner::class)
class RaceTest {
    private fun RaceActivity.lanes(): List<View> =
        view<LinearLayout>(R.id.race_lanes).let { table -> List(table.childCount) { table.getChildAt(it) } }

    private fun View.says(id: Int) = findIn<TextView>(id).text.toString()

    @Test
    fun letsEveryModelDraw() {
        val activity = finishedRace().get()
        val offers = app.services.store.catalog().offers
        assertEquals(
            offers.map {
                "${it.runtime.label}, ${it.artifact.precision}"
            },
            activity.lanes().map { it.says(R.id.lane_name) }
        )
        for (lane in activity.lanes()) {
            assertTrue(
                lane.says(R.id.lane_rate),
                "images a second" in lane.says(R.id.lane_rate)
            )
        }
        val staged = app.runtimes.map { it as StagedRuntime }
        assertEquals("every model is freed", staged.map { it.opened.size }, staged.map { it.closed })
        activity.click(R.id.race_share)
        waitUntil("the chooser") { shadowOf(activity).nextStartedActivity != null }
    }

    @Test
    fun goesOnWhenALaneFails() {
        app.runtimes = listOf(
            StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack") { throw IllegalStateException("error 32") },
            StagedRuntime("LiteRT", Artifact.TFLITE, "litert")
        )
        val lanes = finishedRace().get().lanes()
        assertTrue("error 32" in lanes.first().says(R.id.lane_rate))
        assertTrue("images a second" in lanes.last().says(R.id.lane_rate))
    }
}
