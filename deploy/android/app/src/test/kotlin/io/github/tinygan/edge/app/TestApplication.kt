package io.github.tinygan.edge.app

import android.content.Context
import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.Fixtures
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.core.RecordedImages
import io.github.tinygan.edge.core.RecordedOutputs
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream

/** The app with runtimes that draw what the real ones drew on the host; tests change them before a screen starts. */
class TestApplication : EdgeApplication() {
    var stagedAssets: (Assets) -> Assets = { it }
    var runtimes: List<ModelRuntime> = listOf(
        StagedRuntime("ExecuTorch", Artifact.EXECUTORCH, "xnnpack"),
        StagedRuntime("LiteRT", Artifact.TFLITE, "litert")
    )

    override fun onCreate() {
        super.onCreate()
        Fixtures.recordings() // skips every test where there are none
    }

    override fun createServices(): Services =
        Services(this, stagedAssets(PackagedAssets(assets)), runtimes, Processor(cores = 8, bigCores = 4))

    /** Lets the app have its real runtimes, whose native libraries load on no computer. */
    fun useRealRuntimes(context: Context = this) {
        runtimes = listOf(ExecutorchRuntime(context), LiteRtRuntime(context))
    }
}

/**
 * Draws recorded images.
 *
 * @param around sees every call, and may change or refuse its image.
 */
open class StagedRuntime(
    override val label: String,
    private val runtime: String,
    private val backend: String,
    private val around: (draw: () -> Image) -> Image = { it() }
) : ModelRuntime {
    /** File and threads of every model that was loaded, in order. */
    val opened = mutableListOf<Pair<String, Int>>()

    /** How many of them were freed. */
    var closed = 0

    override fun runs(artifact: Artifact): Boolean = artifact.runtime == runtime && artifact.backend == backend

    override fun prepare(
        manifest: Manifest,
        artifact: Artifact,
        threads: Int,
        folder: File?
    ): PreparedModel<ImageGenerator> = PreparedModel { load(manifest, artifact, threads) }

    private fun load(manifest: Manifest, artifact: Artifact, threads: Int): ImageGenerator {
        opened += artifact.file to threads
        val recorded = RecordedImages(manifest.model, artifact, Recordings.of(artifact))
        return object : ImageGenerator by recorded {
            override fun generate(latent: FloatArray, classWeights: FloatArray): Image =
                around { recorded.generate(latent, classWeights) }

            override fun close() {
                closed++
            }
        }
    }
}

/** Read once for all tests. */
private object Recordings {
    private val known = HashMap<String, RecordedOutputs>()

    @Synchronized
    fun of(artifact: Artifact): RecordedOutputs {
        val own = artifact.copy(file = artifact.file.substringAfterLast('/')) // without the folder of a bundle
        return known.getOrPut(own.file) { RecordedOutputs(Fixtures.recordings(), own) }
    }
}

/** Assets of which some are missing or changed: name in the folder → content, or null for none. */
class ChangedAssets(private val real: Assets, private val changed: Map<String, ByteArray?>) : Assets {
    override fun open(path: String): InputStream {
        val name = path.removePrefix("${Manifest.ASSET_FOLDER}/")
        if (name !in changed) return real.open(path)
        return changed[name]?.inputStream() ?: throw FileNotFoundException(path)
    }

    override fun list(folder: String): Set<String> =
        real.list(folder) - changed.filterValues { it == null }.keys + changed.filterValues { it != null }.keys
}
