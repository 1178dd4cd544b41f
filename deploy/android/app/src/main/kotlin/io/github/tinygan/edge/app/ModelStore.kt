package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.BundledClass
import io.github.tinygan.edge.core.ClassShare
import io.github.tinygan.edge.core.GoldenCheck
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelBundle
import io.github.tinygan.edge.core.NamedModel
import io.github.tinygan.edge.core.PreparedModel
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.id
import java.io.File
import java.io.IOException

/** The models in the app, or in the folder that the user opened. All of it reads files: use the inference thread. */
class ModelStore(
    private val packaged: Assets,
    private val ownModel: OwnModel,
    private val runtimes: List<ModelRuntime>,
    private val verified: VerifiedModels,
    private val guard: CrashGuard
) {
    /**
     * Reads the manifests and looks which artifacts of a group this build holds and can run.
     *
     * @param group its place in the bundle; the first one if there is none.
     * @throws io.github.tinygan.edge.core.BundleException if the models do not go together.
     * @throws io.github.tinygan.edge.core.ManifestException if a manifest is damaged.
     * @throws MissingFileException if there is no manifest, or no model that can be run.
     */
    fun catalog(group: Int = 0): Catalog {
        val folder = ownModel.folder
        val assets = assets(folder)
        val bundle = ModelBundle.read(assets::open)
        val place = if (group in bundle.groups.indices) group else 0
        val models = bundle.groups[place].models
        val packed = models.flatMap { assets.filesOf(it.name) }.toSet()
        val possible = runtimes.flatMap { runtime ->
            models.flatMap { model ->
                model.manifest.artifacts.filter { it.file in packed && runtime.runs(it) }
                    .sortedByDescending { it.precision == PREFERRED_PRECISION }
                    .map { Offer(it, runtime, model) }
            }
        }
        val offers = possible.filterNot { it.runtime.isRisky && guard.crashed(it.id) }
        if (offers.isEmpty()) throw MissingFileException(models.first().manifest.artifacts.first().file)
        return Catalog(bundle, place, offers, folder, withheld = possible - offers.toSet())
    }

    /** Returns the files in the folder of a model, named with it. */
    private fun Assets.filesOf(name: String): Collection<String> =
        if (name.isEmpty()) list(Manifest.ASSET_FOLDER) else list(Manifest.assetPath(name)).map { "$name/$it" }

    /**
     * Finds a model's file, copies it out of the app where its runtime needs that, and compares its hash.
     *
     * @return what loads it.
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing or wrong.
     */
    fun prepare(catalog: Catalog, offer: Offer, threads: Int): PreparedModel<ImageGenerator> =
        offer.runtime.prepare(offer.model.manifest, offer.artifact, threads, catalog.folder)

    /**
     * Loads a model and lets it draw the golden image, unless it was right on this phone before.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing, wrong, or refused.
     */
    fun open(catalog: Catalog, offer: Offer, threads: Int): ImageGenerator {
        val prepared = prepare(catalog, offer, threads)
        return guarded(offer) {
            val generator = prepared.load()
            try {
                // What may end the process draws its first image behind the guard, every time.
                if (offer.runtime.isRisky || !isVerified(offer)) verify(catalog, offer, generator)
            } catch (error: Throwable) {
                generator.close()
                throw error
            }
            generator
        }
    }

    /** Runs a step of an offer that may end the process, remembered if its runtime is risky. */
    fun <T> guarded(offer: Offer, work: () -> T): T = if (offer.runtime.isRisky) guard.guard(offer.id, work) else work()

    /**
     * Lets a model draw the first golden image and compares it.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if the image is wrong or cannot be drawn.
     */
    fun verify(catalog: Catalog, offer: Offer, generator: ImageGenerator) {
        val file = offer.model.manifest.golden.files.getValue(offer.artifact.student)
        val expected = try {
            assets(catalog.folder).open(Manifest.assetPath(file)).use { it.readBytes() }
        } catch (error: IOException) {
            throw MissingFileException(file, error)
        }
        GoldenCheck.check(generator, offer.model.manifest, expected)
        verified.add(offer.id)
    }

    /** Returns whether this build can run an artifact. */
    fun runs(artifact: Artifact): Boolean = runtimes.any { it.runs(artifact) }

    /** Returns whether a model was right on this phone before. */
    fun isVerified(offer: Offer): Boolean = offer.id in verified

    private fun assets(folder: File?): Assets = folder?.let(::FolderAssets) ?: packaged

    private companion object {
        const val PREFERRED_PRECISION = "int8"
    }
}

/** A model that this build holds and can run. */
data class Offer(
    val artifact: Artifact,
    val runtime: ModelRuntime,
    /** Whose artifact it is. */
    val model: NamedModel
) {
    /** Names it among the offers of a catalog. */
    val key: String get() = if (runtime.unit.isEmpty()) artifact.file else "${artifact.file} ${runtime.unit}"

    /** Names its content and what computes it, on this phone. */
    val id: String get() = if (runtime.unit.isEmpty()) artifact.sha256 else "${artifact.sha256} ${runtime.unit}"
}

/** What the user can choose from; [offers] is never empty, the preferred one is first. */
data class Catalog(
    val bundle: ModelBundle,
    /** The place of the group that is drawn with. */
    val group: Int,
    val offers: List<Offer>,
    /** That holds the files; null: the app's assets. */
    val folder: File? = null,
    /** What ended the app when it was tried last. */
    val withheld: List<Offer> = emptyList()
) {
    /** Of the group's first model: its classes and latents are those of all of the group. */
    val manifest: Manifest get() = bundle.groups[group].models.first().manifest

    /** Returns what stands for a class; null for one of another group, whose models are not open. */
    fun recipe(item: BundledClass): Recipe? = if (item.group == group) {
        Recipe(manifest.model.id, listOf(ClassShare(item.index, 1f)), 1u, manifest.truncation)
    } else {
        null
    }

    /** Returns the offer of a key, or the preferred one if there is none. */
    fun offer(key: String?): Offer = offers.firstOrNull { it.key == key } ?: offers.first()
}
