package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.EdgeException
import io.github.tinygan.edge.core.GoldenMismatchException
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.InferenceException
import io.github.tinygan.edge.core.InvalidInputException
import io.github.tinygan.edge.core.InvalidOutputException
import io.github.tinygan.edge.core.LowMemoryException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.ManifestException
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.ModelMismatchException
import io.github.tinygan.edge.core.NativeLibraryException
import io.github.tinygan.edge.core.OtherModelException
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.core.RecipeException
import io.github.tinygan.edge.core.UnknownClassException
import io.github.tinygan.edge.core.decode
import io.github.tinygan.edge.executorch.ExecutorchGenerator
import io.github.tinygan.edge.litert.LiteRtGenerator
import java.io.File
import java.io.IOException
import java.util.concurrent.atomic.AtomicBoolean
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** Everything that can be wrong with a model becomes a sentence on the screen. */
@RunWith(RobolectricTestRunner::class)
class BadInputTest {
    private val manifest = Manifest.read(app.assets::open)
    private val manifestText = app.assets.open("tinygan/manifest.json").use { String(it.readBytes()) }

    private fun changeAssets(vararg changed: Pair<String, ByteArray?>) {
        app.stagedAssets = { ChangedAssets(it, mapOf(*changed)) }
    }

    private fun changeManifest(old: String, new: String) {
        assertTrue("the manifest holds $old", old in manifestText)
        changeAssets(Manifest.FILE to manifestText.replace(old, new).toByteArray())
    }

    /** A runtime whose models behave as told. */
    private fun use(around: (draw: () -> Image) -> Image) {
        app.runtimes = listOf(StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack", around))
    }

    private fun useLoader(open: (Manifest, Artifact, Int) -> ImageGenerator) {
        app.runtimes = listOf(object : ModelRuntime {
            override val label = "ExecuTorch"

            override fun runs(artifact: Artifact) =
                artifact.runtime == Artifact.EXECUTORCH && artifact.backend == "xnnpack"

            override fun prepare(manifest: Manifest, artifact: Artifact, threads: Int, folder: File?) =
                PreparedModel { open(manifest, artifact, threads) }
        })
    }

    /** Starts the app and returns what it says; every expected word must be in it. */
    private fun expectSentence(vararg words: String): MainActivity {
        val activity = startMain().get()
        val sentence = activity.waitForError()
        for (word in words) assertTrue("\"$word\" is in: $sentence", word in sentence)
        waitUntil("the end of work") { !activity.isBusy() }
        assertTrue("no image of a wrong model", activity.images().all { it == null })
        assertFalse("nothing to share", activity.view<android.view.View>(R.id.share_button).isEnabled)
        return activity
    }

    @Test
    fun aMissingManifest() {
        changeAssets(Manifest.FILE to null)
        expectSentence("manifest.json")
    }

    @Test
    fun aDamagedManifest() {
        changeAssets(Manifest.FILE to manifestText.take(200).toByteArray())
        expectSentence("manifest.json", "JSON")
    }

    @Test
    fun aManifestOfAnotherVersion() {
        changeManifest(Manifest.FORMAT, "tinygan-edge-manifest-9")
        expectSentence("tinygan-edge-manifest-9")
    }

    @Test
    fun missingModels() {
        changeAssets(*manifest.artifacts.map { it.file to null }.toTypedArray())
        expectSentence("This app holds no")
    }

    @Test
    fun aMissingGoldenImage() {
        val file = manifest.golden.files.getValue("int8")
        changeAssets(file to null)
        expectSentence(file)
    }

    @Test
    fun aDamagedGoldenImage() {
        val file = manifest.golden.files.getValue("int8")
        changeAssets(file to ByteArray(10))
        expectSentence(file, "10 bytes")
    }

    @Test
    fun aCorruptExecutorchModel() {
        val artifact = manifest.preferred(Artifact.EXECUTORCH, "xnnpack")
        changeManifest(artifact.sha256, "0".repeat(64))
        useLoader { read, own, threads -> ExecutorchGenerator.open(app, read, own, threads) }
        expectSentence(artifact.file, "damaged")
    }

    @Test
    fun aCorruptLiteRtModel() {
        val artifact = manifest.preferred(Artifact.TFLITE, "litert")
        changeManifest(artifact.sha256, "0".repeat(64))
        app.runtimes = listOf(LiteRtRuntime(app))
        expectSentence(artifact.file, "damaged")
    }

    @Test
    fun noLibraryForThisProcessor() {
        // The real runtimes: their libraries are Android's and load on no computer.
        app.useRealRuntimes()
        expectSentence("ExecuTorch", "processor")
    }

    @Test
    fun noLiteRtLibraryForThisProcessor() {
        app.runtimes = listOf(LiteRtRuntime(app))
        expectSentence("LiteRT", "processor")
    }

    @Test
    fun aBackendThatRefusesToLoad() {
        useLoader { read, own, threads ->
            ExecutorchGenerator.open(app, read, own, threads) { _, _ -> throw IllegalStateException("error 32") }
        }
        expectSentence("ExecuTorch", "error 32", "Choose another model")
    }

    @Test
    fun aModelWithOtherTensorsThanTheManifestSays() {
        app.runtimes = listOf(object : ModelRuntime by LiteRtRuntime(app) {
            override fun prepare(
                manifest: Manifest,
                artifact: Artifact,
                threads: Int,
                folder: File?
            ): PreparedModel<ImageGenerator> = LiteRtGenerator.prepare(app, manifest, artifact, threads) { _, _ ->
                object : io.github.tinygan.edge.litert.SignatureRunner {
                    override val inputs = artifact.inputs
                    override val outputs = listOf(artifact.output.copy(shape = listOf(1, 64, 64, 3)))

                    override fun run(inputs: Map<String, java.nio.Buffer>, outputs: Map<String, java.nio.Buffer>) = Unit

                    override fun close() = Unit
                }
            }
        })
        expectSentence("does not fit its manifest", "64")
    }

    @Test
    fun anotherModelThanTheGoldenImageSays() {
        use { draw -> draw().let { Image(it.width, it.height, it.argb.reversedArray()) } }
        expectSentence("another image", "30 dB")
    }

    @Test
    fun anOutputThatIsNoNumber() {
        val artifact = manifest.preferred(Artifact.EXECUTORCH, "xnnpack")
        use { manifest.model.decode(artifact, FloatArray(artifact.output.size) { Float.NaN }) }
        expectSentence("${artifact.output.size} values that are not numbers")
    }

    @Test
    fun anOutputThatIsNoNumberAfterAGoodStart() {
        var draws = 0
        val artifact = manifest.preferred(Artifact.EXECUTORCH, "xnnpack")
        use { draw ->
            if (++draws < 4) draw() else manifest.model.decode(artifact, FloatArray(artifact.output.size) { Float.NaN })
        }
        expectSentence("not numbers")
    }

    @Test
    fun tooLittleMemory() {
        use { throw OutOfMemoryError("48 MB") }
        expectSentence("not enough memory")
    }

    @Test
    fun whatNobodyThoughtOf() {
        use { throw UnsupportedOperationException("new in this runtime") }
        expectSentence("new in this runtime")
    }

    @Test
    fun aClassThatIsOutOfRange() {
        changeManifest("\"class\": ${manifest.golden.classIndex},", "\"class\": 10,")
        expectSentence("class", "10")
    }

    @Test
    fun aModelThatFailsCanBeReplacedByAnother() {
        val broken = AtomicBoolean(true)
        app.runtimes = listOf(
            StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack") {
                if (broken.get()) throw OutOfMemoryError() else it()
            },
            StagedRuntime("LiteRT", Artifact.TFLITE, "litert")
        )
        val activity = expectSentence("memory")
        activity.select(R.id.model_spinner, "LiteRT, int8")
        activity.waitForImages()
        broken.set(false)
        activity.select(R.id.model_spinner, "ExecuTorch, int8")
        activity.waitForImages()
    }

    @Test
    fun anAppWithoutOneRuntimesModels() {
        val left = manifest.artifacts.filter { it.runtime == Artifact.TFLITE }.map { it.file to null }
        changeAssets(*left.toTypedArray())
        val activity = drawnMain().get()
        val offers = activity.view<android.widget.Spinner>(R.id.model_spinner).adapter
        val texts = List(offers.count) { offers.getItem(it).toString() }
        assertTrue("$texts", texts.isNotEmpty() && texts.all { "ExecuTorch" in it })
    }

    @Test
    @Config(sdk = [35, 36])
    fun everyErrorHasItsSentence() {
        val cause = RuntimeException("cause")
        val errors: List<EdgeException> = listOf(
            ManifestException("z_dim is 0"),
            MissingFileException("a.pte"),
            CorruptFileException("a.pte", "4 bytes", "5 bytes"),
            ModelMismatchException("a.pte", "it has 2 outputs"),
            NativeLibraryException("ExecuTorch", "riscv64", cause),
            ModelLoadException("LiteRT", "a.tflite", "error 18"),
            InferenceException("LiteRT", "a.tflite", "error 32"),
            UnknownClassException(11, "classes 0 to 9"),
            InvalidInputException("the latent has 3 values, not 128"),
            InvalidOutputException("a.pte", 1),
            InvalidOutputException("a.pte", 3072),
            GoldenMismatchException("a.pte", 12.34, 30.0),
            LowMemoryException("draw", OutOfMemoryError()),
            RecipeException("seed", "-1"),
            OtherModelException("0123456789abcdef", "fedcba9876543210")
        )
        val sentences = (
            errors + IOException("disk full") + IllegalStateException("odd") +
                WithheldException("LiteRT GPU", "a.tflite")
            ).map(app::sentence)
        assertEquals("each its own", sentences.size, sentences.toSet().size)
        for (sentence in sentences) {
            assertTrue(sentence, sentence.endsWith(".") && sentence.first().let { it.isUpperCase() || it == 'a' })
            assertFalse(sentence, "%" in sentence || '\n' in sentence || ".." in sentence)
        }
        assertTrue("12.3" in app.sentence(errors[11]) && "30" in app.sentence(errors[11]))
    }
}
