package io.github.tinygan.edge.app

import android.content.Context
import android.net.Uri
import android.os.Bundle
import io.github.tinygan.edge.core.ImageGenerator

/**
 * The main screen's behaviour without its views. It outlives rotations; call it on the main thread.
 *
 * @param saved settings of a process that has ended.
 */
class MainPresenter(private val services: Services, private val saved: Bundle?) {
    /** What shows the state; it is told of every change while it is attached. */
    interface Screen {
        fun render(state: MainState)

        /** Offers an image to other apps. */
        fun share(uri: Uri)

        /** Lets the user choose where to save an image. */
        fun chooseFile(name: String)
    }

    private var screen: Screen? = null
    private var drawing: Task? = null
    private var pendingSave: Picture? = null
    private var afterDrawing: (() -> Unit)? = null

    var state: MainState = MainState()
        private set(value) {
            field = value
            screen?.render(value)
        }

    /** Shows the state on a screen from now on; the first time, the manifest is read and images are drawn. */
    fun attach(screen: Screen) {
        this.screen = screen
        screen.render(state)
        if (state.catalog == null && drawing == null) readCatalog()
    }

    /** Reports nothing more to the screen. */
    fun detach() {
        screen = null
    }

    /** Drops all work; the screen does not come back. */
    fun close() {
        detach()
        drawing?.cancel()
    }

    /** Changes the settings, and draws anew if that changes the images. */
    fun change(transform: (Settings) -> Settings) {
        val old = state.settings ?: return
        val new = transform(old)
        if (new == old) return
        state = state.copy(settings = new)
        if (new.copy(selected = old.selected) != old) draw()
    }

    /** Draws the images of the settings; what was being drawn before is cancelled. */
    fun draw() {
        val (catalog, settings) = (state.catalog ?: return readCatalog()) to (state.settings ?: return)
        drawing?.cancel()
        state = state.copy(status = Status.Drawing(0, settings.count), error = null)
        drawing = services.worker.start({ drawAll(it, catalog, settings) }, ::fail)
    }

    /** Stops drawing; the images that are there stay. */
    fun cancel() {
        drawing?.cancel()
        drawing = null
        if (state.isBusy) state = state.copy(status = Status.Cancelled)
    }

    /** Saves the selected image. */
    fun save(context: Context) {
        val picture = state.selectedPicture ?: return
        if (Gallery.isDirect) {
            store(inGallery = true) { Gallery.add(context, picture.image, picture.shot.fileName) }
        } else {
            pendingSave = picture
            screen?.chooseFile(picture.shot.fileName)
        }
    }

    /** Saves the image for which a file was chosen. */
    fun saveTo(context: Context, file: Uri) {
        // If the process ended while the user chose, the same image is being drawn again.
        val picture = pendingSave ?: state.selectedPicture.takeUnless { state.isBusy }
        if (picture == null) {
            afterDrawing = { saveTo(context, file) }
            return
        }
        pendingSave = null
        store(inGallery = false) { Gallery.write(context, file, picture.image) }
    }

    /** Offers the selected image to other apps. */
    fun share(context: Context) {
        val picture = state.selectedPicture ?: return
        services.worker.start(
            { task ->
                val uri = ImageProvider.publish(context, picture.image, picture.shot.fileName)
                task.report { screen?.share(uri) }
            },
            ::complain,
        )
    }

    /** Shows an error and leaves the images. */
    fun complain(error: Exception) {
        state = state.copy(error = error)
    }

    private fun readCatalog() {
        drawing?.cancel()
        state = state.copy(status = Status.Loading, error = null)
        drawing = services.worker.start(
            { task ->
                val catalog = services.store.catalog()
                val settings = saved?.let { Settings.restore(it, catalog) } ?: Settings.initial(catalog)
                task.report {
                    state = state.copy(catalog = catalog, settings = settings)
                    draw()
                }
            },
            ::fail,
        )
    }

    private fun drawAll(task: Task, catalog: Catalog, settings: Settings) {
        val offer = catalog.offer(settings.artifact)
        if (!services.studio.holds(offer, settings.threads)) {
            val status = if (services.store.isVerified(offer.artifact)) Status.Loading else Status.Verifying
            task.report { state = state.copy(status = status) }
        }
        val generator = services.studio.generator(catalog, offer, settings.threads)
        val shots = settings.shots(catalog.manifest)
        val ends = if (settings.mode == Mode.GRID) listOf(settings.classIndex) else settings.morphClasses()
        val classes = ends.map(catalog.manifest.model::className)
        var nanoseconds = 0L
        for ((index, shot) in shots.withIndex()) {
            if (task.isCancelled) return
            val (image, time) = timed { generator.draw(shot) }
            nanoseconds += time
            val picture = Picture(image, shot, classes)
            task.report { show(index, shots.size, picture) }
        }
        val each = nanoseconds / NANOSECONDS_PER_MILLISECOND / shots.size
        task.report { finish(Status.Done(shots.size, each)) }
    }

    private fun finish(done: Status.Done) {
        state = state.copy(status = done)
        val waiting = afterDrawing
        afterDrawing = null
        waiting?.invoke()
    }

    private fun show(index: Int, total: Int, picture: Picture) {
        val pictures = state.pictures.take(total).toMutableList()
        if (index < pictures.size) pictures[index] = picture else pictures.add(picture)
        state = state.copy(pictures = pictures, status = Status.Drawing(index + 1, total))
    }

    private fun fail(error: Exception) {
        state = state.copy(pictures = emptyList(), status = Status.Failed, error = error)
    }

    private fun store(inGallery: Boolean, write: () -> Unit) {
        services.worker.start(
            { task ->
                write()
                task.report { state = state.copy(status = Status.Saved(inGallery), error = null) }
            },
            ::complain,
        )
    }
}

/** The classes that a morph lies between; one if it begins and ends in the same. */
private fun Settings.morphClasses(): List<Int> = listOf(classIndex, endClass).distinct()

private fun ImageGenerator.draw(shot: Shot) = generate(shot.latent, shot.classWeights)
