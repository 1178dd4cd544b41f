package io.github.tinygan.edge.core

import java.io.FileNotFoundException
import java.io.InputStream
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.jsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelBundleTest {
    private val fixture = Fixtures.json("bundle.json")
    private val files = texts(fixture["files"])

    private fun texts(files: JsonElement): Map<String, String?> =
        files.jsonObject.mapValues { (_, text) -> if (text == JsonNull) null else text.text }

    private fun read(files: Map<String, String?>) = ModelBundle.read { opened(it, files) }

    private fun opened(path: String, files: Map<String, String?>): InputStream =
        files[path.removePrefix("tinygan/")]?.byteInputStream() ?: throw FileNotFoundException(path)

    @Test
    fun readsGroupsOfClassesAndSizesOfAStudent() {
        val bundle = read(files)
        val expected = fixture["groups"].items.map { group -> group.items.map { it.text } }
        assertEquals(expected, bundle.groups.map { group -> group.models.map { it.name } })
        assertEquals(listOf(7, 2), bundle.groups.map { it.model.drawable.size })
    }

    @Test
    fun goesOverAllClasses() {
        val expected = fixture["classes"].items.map {
            BundledClass(it["number"].int, it["name"].text, it["group"].int, it["index"].int)
        }
        val bundle = read(files)
        assertEquals(expected, bundle.classes)
        assertEquals(listOf(8), bundle.classes.like("HEN").map { it.number })
        assertEquals(listOf(9), bundle.classes.like("camelus ostrich").map { it.number })
        assertEquals(listOf(1, 134), bundle.classes.like(" 1").map { it.number })
        assertEquals(bundle.classes, bundle.classes.like(" "))
        assertTrue(bundle.classes.like("hen ostrich").isEmpty())
    }

    @Test
    fun namesFilesWithTheirFolders() {
        val birds = read(files).groups[1].models.single().manifest
        assertEquals(listOf("birds/student_fp32.tflite"), birds.artifacts.map { it.file })
        assertEquals("birds/golden_float.rgb", birds.golden.files["float"])
        assertEquals(listOf(8, 9), birds.model.drawable.map(birds.model::numberOf))
    }

    @Test
    fun findsTheGroupOfARecipe() {
        val bundle = read(files)
        val small = bundle.groups[0].models[1].manifest.model
        assertEquals(0, bundle.groupOf(small.id))
        assertEquals(1, bundle.groupOf(bundle.groups[1].model.id))
        assertNull(bundle.groupOf("0123456789abcdef"))
    }

    @Test
    fun readsOneModelWithoutAnIndex() {
        val bundle = read(mapOf("manifest.json" to Fixtures.text("manifest_good.json")))
        val model = bundle.groups.single().models.single()
        assertEquals("" to Fixtures.manifest(), model.name to model.manifest)
        assertEquals(Fixtures.manifest().model.drawable, bundle.classes.map { it.index })
        val error = assertThrows(MissingFileException::class.java) { read(emptyMap()) }
        assertEquals("manifest.json", error.file)
    }

    @Test
    fun refusesEveryBrokenBundleWithTheWordThatIsWrong() {
        val cases = fixture["errors"].items
        assertTrue(cases.size > 20)
        val wrong = cases.mapNotNull { case ->
            val message = try {
                read(files + texts(case["files"]))
                "was read"
            } catch (error: EdgeException) {
                error.message.orEmpty()
            }
            "${case["name"].text}: $message".takeUnless { case["word"].text in message && '\n' !in message }
        }
        assertEquals("", wrong.joinToString("\n"))
    }
}
