package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.Recipe

/** Everything that the main screen shows. */
data class MainState(
    /** Null until the manifest is read. */
    val catalog: Catalog? = null,
    /** Null until the manifest is read. */
    val settings: Settings? = null,
    /** The latest images; while new ones are drawn, old ones stay in their places. */
    val pictures: List<Picture> = emptyList(),
    val status: Status = Status.Loading,
    /** Whether the selected image is one of the favourites. */
    val isFavourite: Boolean = false,
    /** What went wrong last, until something is tried again. */
    val error: Exception? = null
) {
    /** Whether there is something to cancel. */
    val isBusy: Boolean get() = status is Status.Loading || status is Status.Verifying || status is Status.Drawing ||
        status is Status.Playing || status is Status.Recording

    /** The image that is saved and shared. */
    val selectedPicture: Picture? get() = settings?.let { pictures.getOrNull(it.selected) ?: pictures.firstOrNull() }

    /** From what the selected image is drawn; null where there is no image, or no recipe for it. */
    val recipe: Recipe? get() = selectedPicture?.shot?.recipe
}

/** An image that was drawn; compared by identity. */
class Picture(
    val image: Image,
    val shot: Shot,
    /** The class, or the classes that it lies between. */
    val classes: List<String>
)

/** What the app is doing. */
sealed interface Status {
    /** The manifest or a model is being read. */
    data object Loading : Status

    /** A model draws its golden image for the first time. */
    data object Verifying : Status

    data class Drawing(val done: Int, val total: Int) : Status

    /** An endless morph, and how many images a second it comes to. */
    data class Playing(val rate: Double) : Status

    /** A loop is being drawn and encoded. */
    data class Recording(val done: Int, val total: Int) : Status

    /** All are there; the first one was slower, with caches that were cold. */
    data class Done(val count: Int, val firstMilliseconds: Double, val othersMilliseconds: Double) : Status

    data object Cancelled : Status

    /** [MainState.error] says why. */
    data object Failed : Status

    /** The image is in the gallery, or in the file that the user chose. */
    data class Saved(val inGallery: Boolean) : Status
}
