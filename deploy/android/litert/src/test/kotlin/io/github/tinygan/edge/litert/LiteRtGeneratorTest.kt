package io.github.tinygan.edge.litert

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.EdgeException
import io.github.tinygan.edge.core.ElementType
import io.github.tinygan.edge.core.Fixtures
import io.github.tinygan.edge.core.InferenceException
import io.github.tinygan.edge.core.InvalidInputException
import io.github.tinygan.edge.core.InvalidOutputException
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.ModelMismatchException
import io.github.tinygan.edge.core.NativeLibraryException
import io.github.tinygan.edge.core.RecordedOutputs
import io.github.tinygan.edge.core.Sha256
import io.github.tinygan.edge.core.TensorSpec
import io.github.tinygan.edge.core.TruncatedNormal
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

@RunWith(RobolectricTestRunner::class)
class LiteRtGeneratorTest {
    private val recordings = Fixtures.recordings() // first: without them there is no model either
    private val context: Context = RuntimeEnvironment.getApplication()
    private val manifest = Manifest.read(context.assets::open)
    private val model = manifest.model
    private val artifact = manifest.preferred(Artifact.TFLITE, LiteRtGenerator.BACKEND)
    private val latent = TruncatedNormal.latent(manifest.golden.seed, model.zDim, manifest.truncation)
    private val weights = model.classWeights(manifest.golden.classIndex)

    /** A model with the tensors of [artifact] unless told otherwise; [answer] fills the image. */
    private class FakeRunner(
        artifact: Artifact,
        override val inputs: List<TensorSpec> = artifact.inputs,
        override val outputs: List<TensorSpec> = listOf(artifact.output),
        private val answer: (Map<String, FloatArray>, Buffer) -> Unit = { _, _ -> }
    ) : SignatureRunner {
        var closed = 0

        override fun run(inputs: Map<String, Buffer>, outputs: Map<String, Buffer>) {
            val values = inputs.mapValues { (_, buffer) ->
                val floats = buffer as FloatBuffer
                assertTrue("direct, native and rewound", floats.isDirect && floats.position() == 0)
                assertEquals(ByteOrder.nativeOrder(), floats.order())
                FloatArray(floats.remaining()).also { floats.get(it) }
            }
            assertEquals(this.outputs.map { it.name }.toSet(), outputs.keys)
            val image = outputs.values.single()
            assertTrue("direct and rewound", image.isDirect && image.position() == 0)
            answer(values, image)
        }

        override fun close() {
            closed++
        }
    }

    private fun open(runner: SignatureRunner, artifact: Artifact = this.artifact) =
        LiteRtGenerator.open(context, manifest, artifact, 1) { _, _ -> runner }

    @Test
    fun drawsWhatTheModelGives() {
        for (own in manifest.artifacts.filter { it.runtime == Artifact.TFLITE }) {
            val recorded = RecordedOutputs(recordings, own)
            val runner = FakeRunner(own) { inputs, image ->
                val values = own.inputs.map { inputs.getValue(it.name) }.reduce(FloatArray::plus)
                (image as FloatBuffer).put(recorded.find(values))
            }
            open(runner, own).use { generator ->
                val images = model.drawable.take(3).map { index ->
                    val input = TruncatedNormal.latent(1u, model.zDim, manifest.truncation)
                    generator.generate(input, model.classWeights(index)).argb.toList()
                }
                assertEquals("three classes, three images", 3, images.toSet().size)
            }
        }
    }

    @Test
    fun mapsTheVeryFileOfTheManifest() {
        var hash = ""
        LiteRtGenerator.open(context, manifest, artifact, threads = 4) { file, threads ->
            assertEquals(4, threads)
            assertTrue("mapped, not copied", file.content.isDirect)
            hash = Sha256.of(file.content)
            FakeRunner(artifact)
        }
        assertEquals(artifact.sha256, hash)
    }

    @Test
    fun refusesAModelThatIsNotTheOneOfTheManifest() {
        for (wrong in listOf(artifact.copy(sha256 = "0".repeat(64)), artifact.copy(bytes = artifact.bytes + 1))) {
            val error = refused<CorruptFileException> { open(FakeRunner(artifact), wrong) }
            assertEquals(artifact.file, error.file)
        }
    }

    @Test
    fun refusesAModelThatIsNotThere() {
        refused<MissingFileException> { open(FakeRunner(artifact), artifact.copy(file = "absent.tflite")) }
    }

    @Test
    fun refusesAnArtifactOfAnotherRuntime() {
        refused<ModelLoadException> { open(FakeRunner(artifact), artifact.copy(runtime = Artifact.EXECUTORCH)) }
    }

    @Test
    fun saysThatThereIsNoNativeLibraryForThisProcessor() {
        // The real runtime: its library is Android's and loads on no computer.
        val error = refused<NativeLibraryException> { LiteRtGenerator.open(context, manifest) }
        assertEquals(RUNTIME, error.runtime)
    }

    @Test
    fun saysWhyARuntimeRefusesToLoad() {
        val error = refused<ModelLoadException> {
            LiteRtGenerator.open(context, manifest, artifact, 1) { _, _ ->
                throw IllegalArgumentException("no flatbuffer")
            }
        }
        assertTrue(error.message, "no flatbuffer" in error.message.orEmpty())
    }

    @Test
    fun refusesThreadsThatCannotCompute() {
        assertThrows(IllegalArgumentException::class.java) {
            LiteRtGenerator.open(context, manifest, artifact, 0) { _, _ -> FakeRunner(artifact) }
        }
    }

    @Test
    fun refusesTensorsThatAreNotThoseOfTheManifest() {
        val (z, classes) = artifact.inputs
        val wrong = listOf(
            FakeRunner(artifact, inputs = listOf(z)),
            FakeRunner(artifact, inputs = listOf(z, classes.copy(shape = listOf(1, 11)))),
            FakeRunner(artifact, inputs = listOf(z.copy(name = "latent"), classes)),
            FakeRunner(artifact, inputs = listOf(z.copy(type = ElementType.UINT8), classes)),
            FakeRunner(artifact, outputs = emptyList()),
            FakeRunner(artifact, outputs = listOf(artifact.output, artifact.output.copy(name = "second"))),
            FakeRunner(artifact, outputs = listOf(artifact.output.copy(shape = listOf(1, 3, 32, 32)))),
            FakeRunner(artifact, outputs = listOf(artifact.output.copy(type = ElementType.UINT8)))
        )
        for (runner in wrong) {
            refused<ModelMismatchException> { open(runner) }
            assertEquals("a refused model is freed", 1, runner.closed)
        }
    }

    @Test
    fun readsBytesWhereTheManifestSaysBytes() {
        val own = artifact.copy(output = artifact.output.copy(type = ElementType.UINT8))
        val values = ByteArray(own.output.size) { 200.toByte() }
        val generator = open(FakeRunner(own) { _, image -> (image as ByteBuffer).put(values) }, own)
        repeat(2) { assertArrayEquals(values, generator.generate(latent, weights).toRgb()) }
    }

    @Test
    fun refusesAnImageThatIsNoNumber() {
        val generator = open(FakeRunner(artifact) { _, image -> (image as FloatBuffer).put(7, Float.NaN) })
        val error = refused<InvalidOutputException> { generator.generate(latent, weights) }
        assertEquals(1, error.count)
    }

    @Test
    fun refusesInputsBeforeItRuns() {
        val generator = open(FakeRunner(artifact) { _, _ -> throw AssertionError("the model ran") })
        refused<InvalidInputException> { generator.generate(latent.copyOf(3), weights) }
        refused<InvalidInputException> { generator.generate(latent, weights + 0f) }
        refused<InvalidInputException> { generator.generate(latent, FloatArray(weights.size) { Float.NaN }) }
    }

    @Test
    fun saysWhatFailedWhileDrawing() {
        val generator = open(FakeRunner(artifact) { _, _ -> throw IllegalStateException("internal error") })
        val error = refused<InferenceException> { generator.generate(latent, weights) }
        assertTrue(error.message, "internal error" in error.message.orEmpty())
    }

    @Test
    fun closesOnceAndDrawsNoMore() {
        val runner = FakeRunner(artifact)
        val generator = open(runner)
        repeat(2) { generator.close() }
        assertEquals(1, runner.closed)
        assertThrows(IllegalStateException::class.java) { generator.generate(latent, weights) }
    }

    /** Returns the error of [call], whose message must be one sentence. */
    private inline fun <reified E : EdgeException> refused(crossinline call: () -> Unit): E {
        val error = assertThrows(E::class.java) { call() }
        assertFalse(error.message, error.message.isNullOrBlank() || '\n' in error.message.orEmpty())
        return error
    }
}
