package io.github.tinygan.edge.app

import android.net.Uri
import android.os.Bundle
import io.github.tinygan.edge.core.EdgeException
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.OtherModelException
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.id
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.withContext

/**
 * The main screen's behaviour without its views. It outlives rotations; call it on the main thread.
 *
 * @param saved settings of a process that has ended, or of another group of classes.
 */
class MainPresenter(private val services: Services, private var saved: Bundle?) {
    /** What shows the state; it is told of every change while it is attached. */
    interface Screen {
        fun render(state: MainState)

        /** Offers a file to other apps. */
        fun share(uri: Uri, type: String)

        /** Lets the user choose where to save an image. */
        fun chooseFile(name: String)
    }

    /** Ends with the screen. */
    val scope: CoroutineScope = services.scope()

    /** What leaves the app. */
    val exports: Exports = Exports(services, this)
    private var drawing: Job? = null
    private var isVisible = true

    /** What shows the state; null while there is none. */
    var screen: Screen? = null
        private set

    /** A recipe that waits for the manifest. */
    private var waiting: Recipe? = null
    private var waitingError: Exception? = null

    /** Called once when the next images are there. */
    var afterDrawing: (() -> Unit)? = null

    var state: MainState = MainState()
        private set(value) {
            field = value.copy(isFavourite = value.recipe?.let { it in services.favourites } ?: false)
            screen?.render(field)
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
        scope.cancel()
    }

    /** Lets an endless morph rest while nobody sees it. */
    fun setVisible(visible: Boolean) {
        val returns = visible && !isVisible
        isVisible = visible
        if (state.status !is Status.Playing) return
        if (returns) {
            draw()
        } else if (!visible) {
            drawing?.cancel()
        }
    }

    /** Changes the settings, and draws anew if that changes the images. */
    fun change(transform: (Settings) -> Settings) {
        val old = state.settings ?: return
        val new = transform(old)
        if (new == old) return
        state = state.copy(settings = new)
        if (new.copy(selected = old.selected, corners = old.corners) != old) draw()
    }

    /**
     * Draws what a link, a picture or a favourite says.
     *
     * One that is of another model, or of classes that this one does not draw, is told as an error.
     */
    fun follow(recipe: Recipe) {
        val catalog = state.catalog
        if (catalog == null) {
            waiting = recipe
            return
        }
        val model = catalog.manifest.model
        try {
            val group = catalog.bundle.groupOf(recipe.model) ?: throw OtherModelException(recipe.model, model.id)
            if (group != catalog.group) {
                waiting = recipe
                return enter(group)
            }
            for (share in recipe.classes) model.className(share.index)
            change { settings ->
                val chosen = catalog.offer(settings.offer)
                val own = (listOf(chosen) + catalog.offers).firstOrNull { it.model.manifest.model.id == recipe.model }
                settings.of(recipe).copy(offer = if (own == null || own == chosen) settings.offer else own.key)
            }
        } catch (error: EdgeException) {
            complain(error)
        }
    }

    /** Draws with another group of models, and a class of it; what else was chosen stays where the group has it. */
    fun enter(group: Int, classIndex: Int? = null) {
        val settings = state.settings ?: return
        val chosen = classIndex ?: settings.classIndex
        saved = settings.copy(group = group, classIndex = chosen, offer = null).toBundle()
        reopen()
    }

    /** Draws the images of the settings; what was being drawn before is cancelled. */
    fun draw() {
        val catalog = state.catalog ?: return readCatalog()
        val settings = state.settings ?: return
        begin(Status.Drawing(0, settings.count))
        drawing = scope.start(::fail) {
            if (settings.mode == Mode.PLAY) play(catalog, settings) else drawAll(catalog, settings)
        }
    }

    /** Does other work in the place of drawing, which [cancel] stops. */
    fun instead(status: Status, work: suspend CoroutineScope.() -> Unit) {
        begin(status)
        drawing = scope.start(::complain, work)
    }

    /** Shows another status. */
    fun show(status: Status, error: Exception? = null) {
        state = state.copy(status = status, error = error)
    }

    /** Stops drawing; the images that are there stay. */
    fun cancel() {
        drawing?.cancel()
        drawing = null
        if (state.isBusy) state = state.copy(status = Status.Cancelled)
    }

    /** Shows an error and leaves the images. */
    fun complain(error: Exception) {
        if (state.catalog == null) {
            waitingError = error // the images that are drawn first would take it away
            return
        }
        val isOver = state.status is Status.Recording || state.status is Status.Loading
        state = state.copy(error = error, status = if (isOver) Status.Failed else state.status)
    }

    /** Adds the selected image to the favourites, or takes it out. */
    fun toggleFavourite() {
        services.favourites.toggle(state.recipe ?: return)
        state = state.copy()
    }

    /** Reads the manifest again: another model was opened. */
    fun reopen() {
        state = MainState()
        readCatalog()
    }

    private fun begin(status: Status) {
        drawing?.cancel()
        state = state.copy(status = status, error = null)
    }

    private fun readCatalog() {
        begin(Status.Loading)
        drawing = scope.start(::fail) {
            val catalog = withContext(services.inference) {
                services.studio.release()
                services.store.catalog(saved?.let(Settings::groupOf) ?: 0)
            }
            val settings = saved?.let { Settings.restore(it, catalog) } ?: Settings.initial(catalog)
            state = state.copy(catalog = catalog, settings = settings)
            draw()
            waiting?.let(::follow)
            waiting = null
            waitingError?.let(::complain)
            waitingError = null
            catalog.withheld.firstOrNull()?.let { complain(WithheldException(it.runtime.label, it.artifact.file)) }
        }
    }

    private suspend fun drawAll(catalog: Catalog, settings: Settings) {
        val shots = settings.shots(catalog.offer(settings.offer).model.manifest)
        val classes = settings.classesOf().map(catalog.manifest.model::title)
        val times = ArrayList<Double>(shots.size)
        for ((index, shot) in shots.withIndex()) {
            val drawn = draw(catalog, settings, shot)
            times += drawn.milliseconds
            show(index, shots.size, Picture(drawn.result, shot, classes))
        }
        val others = times.drop(1)
        state =
            state.copy(status = Status.Done(times.size, times.first(), if (others.isEmpty()) 0.0 else others.average()))
        val waiting = afterDrawing
        afterDrawing = null
        waiting?.invoke()
    }

    private suspend fun play(catalog: Catalog, settings: Settings) {
        val model = catalog.manifest.model
        val morph = settings.endless(model)
        var index = 0L
        var rate = LOOP_RATE.toDouble()
        while (true) {
            val begun = System.nanoTime()
            val shot = settings.played(model, index)
            val drawn = draw(catalog, settings, shot)
            val station = index / LOOP_STEPS
            val ends = listOf(morph.classAt(station), morph.classAt(station + 1)).map(model::title)
            state = state.copy(
                pictures = listOf(Picture(drawn.result, shot, ends)),
                status = Status.Playing(rate)
            )
            val spent = milliseconds(System.nanoTime() - begun)
            delay((MILLISECONDS / LOOP_RATE - spent).toLong().coerceAtLeast(1))
            rate += SMOOTHING * (MILLISECONDS / milliseconds(System.nanoTime() - begun) - rate)
            index++
        }
    }

    /** Draws one image on the inference thread, with the model of the settings. */
    suspend fun draw(catalog: Catalog, settings: Settings, shot: Shot): Timed<Image> {
        val offer = catalog.offer(settings.offer)
        if (!withContext(services.inference) { services.studio.holds(offer, settings.threads) }) {
            val isVerified = services.store.isVerified(offer)
            state = state.copy(status = if (isVerified) Status.Loading else Status.Verifying)
        }
        return withContext(services.inference) {
            // Asked for at every image: the model may have been freed meanwhile.
            val generator = services.studio.generator(catalog, offer, settings.threads)
            timed { generator.generate(shot.latent, shot.classWeights) }
        }
    }

    private fun show(index: Int, total: Int, picture: Picture) {
        val pictures = state.pictures.take(total).toMutableList()
        if (index < pictures.size) pictures[index] = picture else pictures.add(picture)
        state = state.copy(pictures = pictures, status = Status.Drawing(index + 1, total))
    }

    private fun fail(error: Exception) {
        val settings = state.settings
        val offer = settings?.let { state.catalog?.offer(it.offer) }
        if (offer != null && offer.runtime.isRisky) {
            // The GPU refuses: the processor draws, and the sentence stays.
            state = state.copy(settings = settings.copy(offer = null))
            draw()
            state = state.copy(error = error)
        } else {
            state = state.copy(pictures = emptyList(), status = Status.Failed, error = error)
        }
    }

    private companion object {
        const val MILLISECONDS = 1000.0
        const val SMOOTHING = 0.1
    }
}

/** A model is not offered: the app ended when [runtime] was tried with [file]. */
class WithheldException(val runtime: String, val file: String) :
    Exception("the app ended when $runtime drew with $file")

/** The classes that an image lies between; one if it is of one alone. */
private fun Settings.classesOf(): List<Int> = when (mode) {
    Mode.GRID -> listOf(classIndex)
    Mode.BLEND -> blend.map { it.index }
    Mode.MORPH, Mode.PLAY -> listOf(classIndex, endClass).distinct()
}
