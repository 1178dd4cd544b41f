package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Artifact
import io.github.tinygan.edge.core.GoldenCheck
import io.github.tinygan.edge.core.ImageGenerator
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.PreparedModel
import java.io.IOException

/** The models in the app. Everything here reads files: call it on the worker. */
class ModelStore(
    private val assets: Assets,
    private val runtimes: List<ModelRuntime>,
    private val verified: VerifiedModels,
) {
    /**
     * Reads the manifest and looks which of its artifacts this build holds and can run.
     *
     * @throws io.github.tinygan.edge.core.ManifestException if the manifest is damaged.
     * @throws MissingFileException if there is no manifest, or no model that can be run.
     */
    fun catalog(): Catalog {
        val manifest = Manifest.read(assets::open)
        val packed = assets.list(Manifest.ASSET_FOLDER)
        val offers = runtimes.flatMap { runtime ->
            manifest.artifacts.filter { it.file in packed && runtime.runs(it) }
                .sortedByDescending { it.precision == PREFERRED_PRECISION }
                .map { Offer(it, runtime) }
        }
        if (offers.isEmpty()) throw MissingFileException(manifest.artifacts.first().file)
        return Catalog(manifest, offers)
    }

    /**
     * Finds a model's file, copies it out of the app where its runtime needs that, and compares its hash.
     *
     * @return what loads it.
     * @throws io.github.tinygan.edge.core.EdgeException if it is missing or wrong.
     */
    fun prepare(catalog: Catalog, offer: Offer, threads: Int): PreparedModel<ImageGenerator> =
        offer.runtime.prepare(catalog.manifest, offer.artifact, threads)

    /**
     * Lets a model draw the first golden image, unless it was right on this phone before.
     *
     * @throws io.github.tinygan.edge.core.EdgeException if the image is wrong or cannot be drawn.
     */
    fun verify(catalog: Catalog, generator: ImageGenerator) {
        val artifact = generator.artifact
        if (isVerified(artifact)) return
        val file = catalog.manifest.golden.files.getValue(artifact.student)
        val expected = try {
            assets.open(Manifest.assetPath(file)).use { it.readBytes() }
        } catch (error: IOException) {
            throw MissingFileException(file, error)
        }
        GoldenCheck.check(generator, catalog.manifest, expected)
        verified.add(artifact.sha256)
    }

    /** Returns whether a model was right on this phone before. */
    fun isVerified(artifact: Artifact): Boolean = artifact.sha256 in verified

    private companion object {
        const val PREFERRED_PRECISION = "int8"
    }
}

/** A model that this build holds and can run. */
data class Offer(val artifact: Artifact, val runtime: ModelRuntime)

/** What the user can choose from; [offers] is never empty, the preferred one is first. */
data class Catalog(val manifest: Manifest, val offers: List<Offer>) {
    /** Returns the model in [file], or the preferred one if it is not offered. */
    fun offer(file: String?): Offer = offers.firstOrNull { it.artifact.file == file } ?: offers.first()
}
