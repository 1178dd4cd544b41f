package io.github.tinygan.edge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ManifestTest {
    @Test
    fun readsAModel() {
        val manifest = Fixtures.manifest()
        val model = manifest.model
        assertEquals(listOf(32, 16, 398), listOf(model.imageSize, model.zDim, model.numClasses))
        assertEquals(listOf(0, 1, 7, 134, 281, 300, 397), model.drawable)
        assertEquals("Käfer, 甲虫", model.className(300))
        assertNull(model.onlyClass)
        assertTrue(manifest.truncation in 0.0..1.0)
        assertEquals(ULong.MAX_VALUE - 1u, manifest.golden.seed)
    }

    @Test
    fun knowsTheArtifactsForAndroidAlone() {
        val files = Fixtures.manifest().artifacts.map { it.file }
        assertTrue("$files", "student_xnnpack_int8.pte" in files && "student_int8.tflite" in files)
        assertTrue("$files", files.none { it.endsWith("mlpackage") || "coreml" in it })
    }

    @Test
    fun readsBothLayoutsOfAnImage() {
        val manifest = Fixtures.manifest()
        assertEquals(PixelLayout.NCHW, manifest.artifact("student_xnnpack_fp32.pte").layout)
        assertEquals(PixelLayout.NHWC, manifest.artifact("student_fp32.tflite").layout)
    }

    @Test
    fun prefersInt8() {
        val manifest = Fixtures.manifest()
        assertEquals("student_xnnpack_int8.pte", manifest.preferred(Artifact.EXECUTORCH, "xnnpack").file)
        assertEquals("student_int8.tflite", manifest.preferred(Artifact.TFLITE, "litert").file)
        assertThrows(MissingFileException::class.java) { manifest.preferred("coreml", "mlprogram") }
        assertThrows(MissingFileException::class.java) { manifest.artifact("student_int9.pte") }
    }

    @Test
    fun readsItselfFromTheAssets() {
        val opened = mutableListOf<String>()
        val read = Manifest.read { path ->
            opened.add(path).let { Fixtures.text("manifest_good.json").byteInputStream() }
        }
        assertEquals(listOf("tinygan/manifest.json"), opened)
        assertEquals(Fixtures.manifest(), read)
    }

    @Test
    fun callsAClassByItsFirstSynonym() {
        val model = Fixtures.manifest().model
        assertEquals(listOf("tabby", "Käfer"), listOf(281, 300).map(model::title))
        val cranes = model.copy(classes = mapOf(134 to "crane, bird", 300 to "crane"))
        assertEquals(listOf("crane (134)", "crane (300)"), cranes.drawable.map(cranes::title))
    }

    @Test
    fun readsAModelOfOneClass() {
        val model = Fixtures.oneClassManifest().model
        assertEquals(281, model.onlyClass)
        assertEquals(listOf(281), model.drawable)
        assertEquals(0, model.weightCount)
        assertEquals(0, model.classWeights(281).size)
        assertThrows(UnknownClassException::class.java) { model.classWeights(1) }
    }

    @Test
    fun makesClassWeights() {
        val weights = Fixtures.manifest().model.classWeights(7)
        assertArrayEquals(FloatArray(398) { if (it == 7) 1f else 0f }, weights, 0f)
    }

    @Test
    fun refusesClassesThatTheModelDoesNotDraw() {
        val model = Fixtures.manifest().model
        for (index in listOf(2, -1, 398, Int.MAX_VALUE)) {
            val error = assertThrows(UnknownClassException::class.java) { model.classWeights(index) }
            assertTrue(error.message, "$index; this model draws 7 of the classes 0 to 397." in error.message.orEmpty())
        }
    }

    @Test
    fun refusesEveryBrokenManifestWithTheWordThatIsWrong() {
        val cases = Fixtures.json("manifest_errors.json").items
        assertTrue(cases.size > 30)
        val wrong = cases.mapNotNull { case ->
            val (name, field) = case["name"].text to case["field"].text
            val message = try {
                Manifest.parse(case["text"].text)
                "was read"
            } catch (error: ManifestException) {
                error.message.orEmpty()
            }
            "$name: $message".takeUnless { field in message && '\n' !in message }
        }
        assertEquals("", wrong.joinToString("\n"))
    }
}
