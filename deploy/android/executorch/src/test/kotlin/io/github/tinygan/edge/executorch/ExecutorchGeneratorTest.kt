package io.github.tinygan.edge.executorch

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
import io.github.tinygan.edge.core.TruncatedNormal
import java.io.File
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Tensor
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

@RunWith(RobolectricTestRunner::class)
class ExecutorchGeneratorTest {
    private val recordings = Fixtures.recordings() // first: without them there is no model either
    private val context: Context = RuntimeEnvironment.getApplication()
    private val manifest = Manifest.read(context.assets::open)
    private val model = manifest.model
    private val artifact = manifest.preferred(Artifact.EXECUTORCH, ExecutorchGenerator.BACKEND)
    private val folder = File(context.filesDir, Manifest.ASSET_FOLDER)
    private val latent = TruncatedNormal.latent(manifest.golden.seed, model.zDim, manifest.truncation)
    private val weights = model.classWeights(manifest.golden.classIndex)

    /** Answers every call by [answer], which gets the values of all inputs. */
    private class FakeProgram(private val answer: (List<EValue>) -> Array<EValue>) : Program {
        var closed = 0

        override fun forward(inputs: Array<EValue>): Array<EValue> = answer(inputs.toList())

        override fun close() {
            closed++
        }
    }

    private fun open(program: Program, artifact: Artifact = this.artifact) =
        ExecutorchGenerator.open(context, manifest, artifact, 1) { _, _ -> program }

    private fun image(values: FloatArray, vararg shape: Long = artifact.output.longShape()) =
        EValue.from(Tensor.fromBlob(values, shape))

    private fun answering(vararg values: EValue) = open(FakeProgram { arrayOf(*values) })

    @Test
    fun drawsWhatTheProgramGives() {
        for (own in manifest.artifacts.filter { it.runtime == Artifact.EXECUTORCH && it.backend == "xnnpack" }) {
            val recorded = RecordedOutputs(recordings, own)
            val program = FakeProgram { inputs ->
                assertEquals(own.inputs.map { it.shape }, inputs.map { it.toTensor().shape().map(Long::toInt) })
                val values = inputs.map { it.toTensor().dataAsFloatArray }.reduce(FloatArray::plus)
                arrayOf(EValue.from(Tensor.fromBlob(recorded.find(values), own.output.longShape())))
            }
            open(program, own).use { generator ->
                val images = model.drawable.take(3).map { index ->
                    val input = TruncatedNormal.latent(1u, model.zDim, manifest.truncation)
                    generator.generate(input, model.classWeights(index)).argb.toList()
                }
                assertEquals("three classes, three images", 3, images.toSet().size)
            }
        }
    }

    @Test
    fun givesAProgramOfOneClassTheLatentAlone() {
        val single = model.copy(onlyClass = model.drawable.first())
        val own = artifact.copy(inputs = artifact.inputs.take(1))
        val changed = manifest.copy(model = single, artifacts = listOf(own))
        val program = FakeProgram { inputs ->
            assertEquals(listOf(listOf(1L, model.zDim.toLong())), inputs.map { it.toTensor().shape().toList() })
            arrayOf(image(FloatArray(own.output.size)))
        }
        val generator = ExecutorchGenerator.open(context, changed, own, 1) { _, _ -> program }
        assertEquals(model.imageSize, generator.generate(latent, FloatArray(0)).width)
    }

    @Test
    fun installsTheProgramOnceUnderItsHash() {
        val paths = mutableListOf<Pair<String, Int>>()
        repeat(2) {
            ExecutorchGenerator.open(context, manifest, artifact, threads = 3) { path, threads ->
                paths += path to threads
                FakeProgram { arrayOf() }
            }
        }
        val file = File(folder, "${artifact.sha256}.pte")
        assertEquals(listOf(file.path to 3, file.path to 3), paths)
        assertEquals(artifact.bytes, file.length())
        assertEquals(listOf(file.name), folder.list()?.toList())
    }

    @Test
    fun installsADamagedProgramAgainAndForgetsOldOnes() {
        folder.mkdirs()
        val file = File(folder, "${artifact.sha256}.pte")
        file.writeBytes(ByteArray(artifact.bytes.toInt()))
        File(folder, "0123.pte").writeBytes(ByteArray(9))
        File(folder, "0123.pte.part").writeBytes(ByteArray(9))
        open(FakeProgram { arrayOf() })
        assertEquals(artifact.sha256, file.inputStream().use { Sha256.of(it).sha256 })
        assertEquals(listOf(file.name), folder.list()?.toList())
    }

    @Test
    fun refusesAProgramThatIsNotTheOneOfTheManifest() {
        for (wrong in listOf(artifact.copy(sha256 = "0".repeat(64)), artifact.copy(bytes = artifact.bytes + 1))) {
            val error = refused<CorruptFileException> { open(FakeProgram { arrayOf() }, wrong) }
            assertEquals(artifact.file, error.file)
            assertEquals("nothing half-written stays", emptyList<String>(), folder.list().orEmpty().toList())
        }
    }

    @Test
    fun refusesAProgramThatIsNotThere() {
        val error =
            refused<MissingFileException> { open(FakeProgram { arrayOf() }, artifact.copy(file = "absent.pte")) }
        assertEquals("absent.pte", error.file)
    }

    @Test
    fun refusesAnArtifactOfAnotherRuntime() {
        refused<ModelLoadException> { open(FakeProgram { arrayOf() }, artifact.copy(runtime = Artifact.TFLITE)) }
        refused<ModelLoadException> { open(FakeProgram { arrayOf() }, artifact.copy(backend = "vulkan")) }
    }

    @Test
    fun saysThatThereIsNoNativeLibraryForThisProcessor() {
        // The real runtime: its libraries are Android's and load on no computer.
        val error = refused<NativeLibraryException> { ExecutorchGenerator.open(context, manifest) }
        assertEquals(RUNTIME, error.runtime)
    }

    @Test
    fun saysWhyARuntimeRefusesToLoad() {
        val error = refused<ModelLoadException> {
            ExecutorchGenerator.open(context, manifest, artifact, 1) { _, _ -> throw IllegalStateException("error 18") }
        }
        assertTrue(error.message, "error 18" in error.message.orEmpty())
    }

    @Test
    fun refusesThreadsThatCannotCompute() {
        assertThrows(IllegalArgumentException::class.java) {
            ExecutorchGenerator.open(context, manifest, artifact, 0) { _, _ -> FakeProgram { arrayOf() } }
        }
    }

    @Test
    fun refusesAnotherNumberOfThreadsWhileAProgramIsOpen() {
        val shared = SharedThreads()
        fun open(threads: Int) = ExecutorchGenerator.open(context, manifest, artifact, threads) { _, count ->
            shared.load(count) { FakeProgram { arrayOf() } }
        }
        val first = open(1)
        val error = refused<ModelLoadException> { open(4) }
        for (word in listOf(artifact.file, "4 threads", "1 thread;", "close")) {
            assertTrue(error.message, word in error.message.orEmpty())
        }
        first.close()
        open(4).close()
    }

    @Test
    fun refusesOutputsThatAreNotWhatTheManifestSays() {
        val size = artifact.output.size
        val (_, _, height, width) = artifact.output.longShape()
        val bytes = Tensor.fromBlobUnsigned(ByteArray(size), artifact.output.longShape())
        val wrong = listOf(
            answering(),
            answering(image(FloatArray(size)), image(FloatArray(size))),
            answering(EValue.from(1L)),
            answering(EValue.from(bytes)),
            answering(image(FloatArray(size), 1, height, width, 3)),
            answering(image(FloatArray(size - 3 * width.toInt()), 1, 3, height - 1, width))
        )
        for (generator in wrong) {
            refused<ModelMismatchException> { generator.generate(latent, weights) }
        }
    }

    @Test
    fun readsBytesWhereTheManifestSaysBytes() {
        val own = artifact.copy(output = artifact.output.copy(type = ElementType.UINT8))
        val values = ByteArray(own.output.size) { 200.toByte() }
        val program = FakeProgram { arrayOf(EValue.from(Tensor.fromBlobUnsigned(values, own.output.longShape()))) }
        assertArrayEquals(values, open(program, own).generate(latent, weights).toRgb())
    }

    @Test
    fun refusesAnImageThatIsNoNumber() {
        val values = FloatArray(artifact.output.size).also { it[7] = Float.NaN }
        val error = refused<InvalidOutputException> { answering(image(values)).generate(latent, weights) }
        assertEquals(1, error.count)
    }

    @Test
    fun refusesInputsBeforeItRuns() {
        val generator = open(FakeProgram { throw AssertionError("the program ran") })
        refused<InvalidInputException> { generator.generate(latent.copyOf(3), weights) }
        refused<InvalidInputException> { generator.generate(latent, weights + 0f) }
        refused<InvalidInputException> { generator.generate(FloatArray(model.zDim) { Float.NaN }, weights) }
    }

    @Test
    fun saysWhatFailedWhileDrawing() {
        val generator = open(FakeProgram { throw IllegalStateException("error 32") })
        val error = refused<InferenceException> { generator.generate(latent, weights) }
        assertTrue(error.message, "error 32" in error.message.orEmpty())
    }

    @Test
    fun closesOnceAndDrawsNoMore() {
        val program = FakeProgram { arrayOf() }
        val generator = open(program)
        repeat(2) { generator.close() }
        assertEquals(1, program.closed)
        assertThrows(IllegalStateException::class.java) { generator.generate(latent, weights) }
    }

    /** Returns the error of [call], whose message must be one sentence. */
    private inline fun <reified E : EdgeException> refused(crossinline call: () -> Unit): E {
        val error = assertThrows(E::class.java) { call() }
        assertFalse(error.message, error.message.isNullOrBlank() || '\n' in error.message.orEmpty())
        return error
    }
}
