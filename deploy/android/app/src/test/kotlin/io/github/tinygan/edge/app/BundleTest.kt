package io.github.tinygan.edge.app

import android.widget.ListView
import android.widget.Spinner
import android.widget.TextView
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.ModelBundle
import io.github.tinygan.edge.core.Sha256
import java.io.InputStream
import java.nio.ByteBuffer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowDialog

/** The app's model three times: two sizes of one student, and a student of other classes, counted anew. */
class BundledAssets(private val real: Assets) : Assets {
    private val manifest = real.open(Manifest.assetPath(Manifest.FILE)).use { it.readBytes() }.decodeToString()
    private val manifests = mapOf(
        "L" to manifest,
        "S" to student('5', 0),
        "others" to student('7', OTHERS)
    )

    override fun open(path: String): InputStream {
        val name = path.removePrefix("${Manifest.ASSET_FOLDER}/")
        val folder = name.substringBefore('/')
        return when (name) {
            ModelBundle.FILE -> index().byteInputStream()
            "$folder/${Manifest.FILE}" -> manifests.getValue(folder).byteInputStream()
            else -> real.open(Manifest.assetPath(name.substringAfter('/')))
        }
    }

    override fun list(folder: String): Set<String> = real.list(Manifest.ASSET_FOLDER)

    private fun index(): String = manifests.entries.joinToString(
        prefix = """{"format": "${ModelBundle.FORMAT}", "models": [""",
        postfix = "]}"
    ) { (folder, text) ->
        """{"folder": "$folder", "sha256": "${Sha256.of(ByteBuffer.wrap(text.toByteArray()))}"}"""
    }

    private fun student(digit: Char, first: Int): String {
        val content = Json.parseToJsonElement(manifest).jsonObject
        val model = content.getValue("model").jsonObject
        val hashes = model.getValue("sha256").jsonObject + ("float" to JsonPrimitive("$digit".repeat(64)))
        val classes = model.getValue("classes").jsonObject
        val numbers = classes.mapValues { (index, _) -> JsonPrimitive(index.toInt() + first) }
        val changes = mapOf("sha256" to JsonObject(hashes), "teacher_classes" to JsonObject(numbers))
        return JsonObject(content + ("model" to JsonObject(model + changes))).toString()
    }

    companion object {
        const val OTHERS: Int = 100
    }
}

@RunWith(RobolectricTestRunner::class)
class BundleTest {
    @Before
    fun bundle() {
        app.stagedAssets = ::BundledAssets
    }

    private fun MainActivity.choices(): ListView {
        click(R.id.class_button)
        return ShadowDialog.getLatestDialog().view(R.id.picker_list)
    }

    private fun MainActivity.models(): List<String> =
        view<Spinner>(R.id.model_spinner).adapter.let { models -> List(models.count) { models.getItem(it).toString() } }

    @Test
    fun goesOverTheClassesOfAllModels() {
        val activity = drawnMain().get()
        val list = activity.choices()
        val names = List(list.adapter.count) { list.adapter.getItem(it).toString() }
        assertEquals(20, names.size)
        assertEquals("7", names[7])
        assertTrue(names[17], "107" in names[17] && names[17].endsWith("7"))
        assertTrue(shadowOf(list).performItemClick(17))
        activity.waitForImages()
        assertEquals("7", activity.textOf(R.id.class_button))
        assertTrue(activity.models().joinToString(), activity.models().none { it.startsWith("L:") || "S:" in it })
        assertTrue(shadowOf(activity.choices()).performItemClick(3))
        activity.waitForImages()
        assertEquals("3", activity.textOf(R.id.class_button))
        assertTrue(activity.models().any { it.startsWith("S:") })
    }

    @Test
    fun offersTheSizesOfAStudent() {
        val activity = drawnMain().get()
        val models = activity.models()
        assertEquals(models.count { it.startsWith("L: ") }, models.count { it.startsWith("S: ") })
        val large = app.services.store.catalog().bundle.groups.first().models.first().manifest.model
        activity.select(R.id.model_spinner, "S: ExecuTorch")
        activity.waitForImages()
        activity.click(R.id.link_button)
        val link = ShadowDialog.getLatestDialog().view<TextView>(R.id.link_text).text.toString()
        assertTrue(link, "model=5555555555555555" in link)
        assertFalse(large.sha256.getValue("float").startsWith("5"))
    }

    @Test
    fun betweenTwoClassesBothAreOfOneModel() {
        val activity = drawnMain().get()
        activity.click(R.id.mode_morph)
        activity.waitForImages()
        activity.click(R.id.morph_class_button)
        assertEquals(10, ShadowDialog.getLatestDialog().view<ListView>(R.id.picker_list).adapter.count)
    }
}
