package io.github.tinygan.edge.app

import android.content.Context
import android.net.Uri
import android.os.Build
import io.github.tinygan.edge.core.Image
import io.github.tinygan.edge.core.PngRecipe
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import kotlinx.coroutines.withContext

/** What leaves the app: images that are saved, shared or reported, and recorded loops. */
class Exports(private val services: Services, private val presenter: MainPresenter) {
    private var pendingSave: Picture? = null

    /** Opens where a loop is encoded; tests give their own, because a PC has no encoder. */
    var videos: VideoMaker = VideoMaker(::VideoFile)

    /** Saves the selected image. */
    fun save(context: Context) {
        val picture = presenter.state.selectedPicture ?: return
        if (Gallery.isDirect) {
            store(inGallery = true) { Gallery.add(context, picture.toPng(), picture.shot.fileName) }
        } else {
            pendingSave = picture
            presenter.screen?.chooseFile(picture.shot.fileName)
        }
    }

    /** Saves the image for which a file was chosen. */
    fun saveTo(context: Context, file: Uri) {
        // If the process ended while the user chose, the same image is being drawn again.
        val picture = pendingSave ?: presenter.state.selectedPicture.takeUnless { presenter.state.isBusy }
        if (picture == null) {
            presenter.afterDrawing = { saveTo(context, file) }
            return
        }
        pendingSave = null
        store(inGallery = false) { Gallery.write(context, file, picture.toPng()) }
    }

    /** Offers the selected image to other apps. */
    fun share(context: Context) {
        val picture = presenter.state.selectedPicture ?: return
        presenter.scope.start(presenter::complain) {
            val uri = publish(context, picture.shot.fileName) { it.writeBytes(picture.toPng()) }
            presenter.screen?.share(uri, Gallery.TYPE)
        }
    }

    /** Gives the selected image and what is known of it, for a report to whoever ships the app. */
    fun report(context: Context, send: (Uri, String) -> Unit) {
        val picture = presenter.state.selectedPicture ?: return
        val version = context.packageManager.getPackageInfo(context.packageName, 0).versionName
        val system = "Android ${Build.VERSION.RELEASE}, ${Build.MANUFACTURER} ${Build.MODEL}"
        val recipe = picture.shot.recipe?.link ?: picture.shot.fileName
        presenter.scope.start(presenter::complain) {
            val uri = publish(context, picture.shot.fileName) { it.writeBytes(picture.toPng()) }
            send(uri, listOf(recipe, "TinyGAN $version", system).joinToString("\n"))
        }
    }

    /** Opens an exported folder of the phone's files in the place of the app's model. */
    fun openModel(folder: Uri) {
        presenter.instead(Status.Loading) {
            withContext(services.inference) { services.ownModel.open(folder, services.store::runs) }
            presenter.reopen()
        }
    }

    /** Goes back to the model of the app. */
    fun forgetModel() {
        presenter.instead(Status.Loading) {
            withContext(services.inference) {
                services.studio.release()
                services.ownModel.forget()
            }
            presenter.reopen()
        }
    }

    /** Draws a loop of five seconds, encodes it and offers it to other apps. */
    fun record(context: Context) {
        val catalog = presenter.state.catalog ?: return
        val settings = presenter.state.settings ?: return
        val inputs = settings.endless(catalog.manifest.model).loop(LOOP_STATIONS)
        presenter.instead(Status.Recording(0, inputs.size)) {
            val name = "tinygan-loop-seed${settings.seed}.mp4"
            val file = withContext(services.inference) { ImageProvider.newFile(context, name) }
            val video =
                withContext(services.inference) { videos.open(file, catalog.manifest.model.imageSize, LOOP_RATE) }
            video.use {
                for ((index, frame) in inputs.withIndex()) {
                    val shot = Shot(settings.seed, frame.latent, frame.classWeights, name, null)
                    val image = presenter.draw(catalog, settings, shot).result
                    withContext(services.inference) { it.add(image) }
                    presenter.show(Status.Recording(index + 1, inputs.size))
                }
                withContext(services.inference) { it.finish() }
            }
            presenter.show(Status.Saved(inGallery = false))
            presenter.screen?.share(ImageProvider.addressOf(context, file), VideoFile.TYPE)
        }
    }

    private suspend fun publish(context: Context, name: String, write: (File) -> Unit): Uri =
        withContext(services.inference) {
            val file = ImageProvider.newFile(context, name)
            write(file)
            ImageProvider.addressOf(context, file)
        }

    private fun store(inGallery: Boolean, write: () -> Unit) {
        presenter.scope.start(presenter::complain) {
            withContext(services.inference) { write() }
            presenter.show(Status.Saved(inGallery))
        }
    }
}

/** Returns the image as a PNG that carries its recipe. @throws IOException if it cannot be encoded. */
fun Picture.toPng(): ByteArray {
    val bytes = ByteArrayOutputStream()
    image.writePng(bytes)
    return shot.recipe?.let { PngRecipe.write(bytes.toByteArray(), it) } ?: bytes.toByteArray()
}

/** Something that images become a video in. */
interface Video : AutoCloseable {
    /** Adds the next image. @throws IOException if it cannot be encoded. */
    fun add(image: Image)

    /** Writes the end. @throws IOException if it cannot be written. */
    fun finish()
}

/** Opens videos. */
fun interface VideoMaker {
    /** Opens one for square images of [size] pixels, [rate] a second. */
    fun open(file: File, size: Int, rate: Int): Video
}
