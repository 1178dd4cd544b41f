package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.Image

/** Everything that the main screen shows. */
data class MainState(
    /** Null until the manifest is read. */
    val catalog: Catalog? = null,
    /** Null until the manifest is read. */
    val settings: Settings? = null,
    /** The latest images; while new ones are drawn, old ones stay in their places. */
    val pictures: List<Picture> = emptyList(),
    val status: Status = Status.Loading,
    /** What went wrong last, until something is tried again. */
    val error: Exception? = null,
) {
    /** Whether there is something to cancel. */
    val isBusy: Boolean get() = status is Status.Loading || status is Status.Verifying || status is Status.Drawing

    /** The image that is saved and shared. */
    val selectedPicture: Picture? get() = settings?.let { pictures.getOrNull(it.selected) ?: pictures.firstOrNull() }
}

/** An image that was drawn; compared by identity. */
class Picture(
    val image: Image,
    val shot: Shot,
    /** The class, or both classes of a morph. */
    val classes: List<String>,
)

/** What the app is doing. */
sealed interface Status {
    /** The manifest or a model is being read. */
    data object Loading : Status

    /** A model draws its golden image for the first time. */
    data object Verifying : Status

    data class Drawing(val done: Int, val total: Int) : Status

    data class Done(val count: Int, val millisecondsEach: Double) : Status

    data object Cancelled : Status

    /** [MainState.error] says why. */
    data object Failed : Status

    /** The image is in the gallery, or in the file that the user chose. */
    data class Saved(val inGallery: Boolean) : Status
}
