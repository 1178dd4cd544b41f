package io.github.tinygan.edge.app

import android.content.Intent
import android.os.Build
import android.widget.LinearLayout
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.double
import io.github.tinygan.edge.core.get
import io.github.tinygan.edge.core.int
import io.github.tinygan.edge.core.items
import io.github.tinygan.edge.core.text
import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

@RunWith(RobolectricTestRunner::class)
class BenchmarkActivityTest {
    private val manifest = Manifest.read(app.assets::open)
    private val int8 = "student_xnnpack_int8.pte"

    private fun BenchmarkActivity.waitForEnd() = waitUntil("the end of the benchmark") { !isRunning() }

    private fun BenchmarkActivity.isRunning() = view<android.view.View>(R.id.benchmark_cancel).isEnabled

    private fun BenchmarkActivity.rows() = view<LinearLayout>(R.id.benchmark_table).childCount

    private fun written(): JsonElement = Json.parseToJsonElement(BenchmarkReport.file(app).readText())

    @Test
    fun writesWhatTheIntentAsksFor() {
        val activity = startBenchmark("artifact" to int8, "threads" to 1, "warmup" to 2, "rounds" to 6).get()
        activity.waitForEnd()
        val file = BenchmarkReport.file(app)
        assertTrue(activity.textOf(R.id.benchmark_status), file.path in activity.textOf(R.id.benchmark_status))
        assertEquals("no part of it stays", listOf(file.name), file.parentFile?.list()?.toList())
        val json = written()
        assertEquals("tinygan-edge-app-benchmark-1", json["format"].text)
        assertEquals(manifest.model.sha256.getValue("int8"), json["model_sha256"]["int8"].text)
        assertEquals(0, json["errors"].items.size)
        for (name in listOf(
            "manufacturer",
            "model",
            "soc",
            "sdk",
            "abi"
        )) {
            assertTrue(name, json["device"][name].text.isNotEmpty())
        }
        assertTrue(json["device"]["cores"].int >= 1)
        val row = json["rows"].items.single()
        val texts = listOf("artifact", "runtime", "backend", "precision").map { row[it].text }
        assertEquals(listOf(int8, "executorch", "xnnpack", "int8"), texts)
        assertEquals(listOf(1, 2, 6), listOf(row["threads"], row["warmup"], row["latency_ms"]["n"]).map { it.int })
        val latency = row["latency_ms"]
        assertTrue(latency["min"].double <= latency["p50"].double && latency["p50"].double <= latency["p90"].double)
        assertTrue(latency["p90"].double <= latency["max"].double && latency["min"].double > 0)
        val conditions = row["conditions"]
        assertEquals("false" to "false", "${conditions["power_saving"]}" to "${conditions["charging"]}")
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) assertEquals("nominal", conditions["thermal_state"].text)
        for (name in listOf("load_ms", "first_run_ms", "peak_memory_bytes")) assertTrue(name, row[name].double > 0)
        assertEquals(1, activity.rows())
    }

    @Test
    fun doesNotCountTheCopyingOfTheFileAsLoading() {
        val copying = 1000L
        val staged = StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack")
        app.runtimes = listOf(object : ModelRuntime by staged {
            override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?) =
                staged.prepare(manifest, artifact, threads, folder).also { Thread.sleep(copying) }
        })
        // The second of two, so that what the test itself reads once is read.
        startBenchmark("artifact" to int8, "warmup" to 0, "rounds" to 1).get().waitForEnd()
        val load = written()["rows"].items.last()["load_ms"].double
        assertTrue("$load ms", load > 0 && load < copying)
    }

    @Test
    fun measuresEveryModelByItself() {
        val activity = startBenchmark("warmup" to 0, "rounds" to 2).get()
        activity.waitForEnd()
        val measured = written()["rows"].items.map { it["artifact"].text to it["threads"].int }
        val expected = app.services.store.catalog().offers.flatMap { offer ->
            listOf(1, 4).map { offer.artifact.file to it }
        }
        assertEquals(expected, measured)
        assertEquals(expected.size, activity.rows())
        val (executorch, litert) = app.runtimes.map { it as StagedRuntime }
        assertEquals(
            "every model is freed",
            executorch.opened.size to litert.opened.size,
            executorch.closed to litert.closed
        )
    }

    @Test
    fun startsAgainWithANewIntent() {
        val controller = startBenchmark("artifact" to int8, "threads" to 1, "rounds" to 1)
        controller.get().waitForEnd()
        val intent = Intent(
            app,
            BenchmarkActivity::class.java
        ).putExtra("artifact", "student_int8.tflite").putExtra("threads", 1)
        controller.newIntent(intent.putExtra("rounds", 2))
        controller.get().waitForEnd()
        assertEquals(listOf("student_int8.tflite"), written()["rows"].items.map { it["artifact"].text })
    }

    @Test
    fun saysThatAModelIsNotThere() {
        val activity = startBenchmark("artifact" to "absent.pte").get()
        activity.waitForEnd()
        assertTrue(activity.textOf(R.id.benchmark_error), "absent.pte" in activity.textOf(R.id.benchmark_error))
        assertEquals(listOf("absent.pte"), written()["errors"].items.map { it["artifact"].text })
    }

    @Test
    fun goesOnWhenOneModelFails() {
        app.runtimes = listOf(
            StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack") { throw IllegalStateException("error 32") },
            StagedRuntime("LiteRT", Artifact.TFLITE, "litert")
        )
        val activity = startBenchmark("threads" to 1, "warmup" to 0, "rounds" to 1).get()
        activity.waitForEnd()
        val json = written()
        assertTrue(json["rows"].items.isNotEmpty() && json["rows"].items.all { it["runtime"].text == "tflite" })
        assertTrue(json["errors"].items.isNotEmpty() && json["errors"].items.all { "error 32" in it["message"].text })
        assertTrue("error 32" in activity.textOf(R.id.benchmark_error))
    }

    @Test
    fun saysThatThereIsNoManifest() {
        app.stagedAssets = { ChangedAssets(it, mapOf(Manifest.FILE to null)) }
        val activity = startBenchmark("rounds" to 1).get()
        activity.waitForEnd()
        assertTrue("manifest.json" in activity.textOf(R.id.benchmark_error))
        val error = written()["errors"].items.single()
        assertTrue("whoever waits for the file learns of it there", "manifest.json" in error["message"].text)
        assertEquals(0, written()["rows"].items.size)
    }

    @Test
    fun takesTheNearestOfNumbersThatMakeNoSense() {
        val intent = Intent().putExtra("threads", -3).putExtra("warmup", -1).putExtra("rounds", 0)
        assertEquals(BenchmarkRequest(null, null, 0, 1), BenchmarkRequest.of(intent))
        assertFalse("one row", BenchmarkRequest.of(Intent().putExtra("artifact", int8)).withGpu)
        val large = BenchmarkRequest.of(Intent().putExtra("threads", 10_000).putExtra("rounds", Int.MAX_VALUE))
        assertEquals(100_000, large.rounds)
        assertEquals("no more than there are cores", listOf(8), large.threadCounts(Processor(8, 4)))
        assertEquals(BenchmarkRequest(), BenchmarkRequest.of(Intent()))
    }

    @Test
    fun stopsWithoutAFile() {
        val gate = Gate(after = 5)
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val activity = startBenchmark("threads" to 1, "rounds" to 6).get()
        waitUntil("the gate") { gate.calls == 6 }
        activity.click(R.id.benchmark_cancel)
        gate.open()
        waitUntil("the worker is free") { app.services.isFree() }
        assertFalse(activity.isRunning())
        assertEquals(activity.getString(R.string.benchmark_stopped), activity.textOf(R.id.benchmark_status))
        assertFalse("a part would be read as the whole", BenchmarkReport.file(app).exists())
    }

    @Test
    fun keepsMeasuringOverARotation() {
        val gate = Gate(after = 3)
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", gate))
        val controller = startBenchmark("artifact" to int8, "threads" to 1, "warmup" to 0, "rounds" to 4)
        waitUntil("the gate") { gate.calls == 4 }
        val before = controller.get()
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        idle()
        assertNotEquals(before, controller.get())
        assertTrue(controller.get().isRunning())
        gate.open()
        controller.get().waitForEnd()
        assertEquals("once only", 1, written()["rows"].items.size)
        assertEquals(1, (app.runtimes.single() as StagedRuntime).opened.size)
    }

    @Test
    fun isReachedFromTheMainScreen() {
        val main = drawnMain().get()
        assertTrue(shadowOf(main).clickMenuItem(R.id.action_benchmark))
        assertSame(
            BenchmarkActivity::class.java.name,
            shadowOf(main).nextStartedActivity.component?.className?.intern()
        )
    }

    @Test
    fun readsThePeakOfTheProcess() {
        assertEquals(
            1234L * 1024,
            ProcessMemory.parsePeak(listOf("Name:\tapp", "VmHWM:\t    1234 kB", "VmRSS:\t 1 kB"))
        )
        assertNull(ProcessMemory.parsePeak(listOf("Name:\tapp")))
        assertNull(ProcessMemory.parsePeak(listOf("VmHWM:\t a lot")))
    }
}
