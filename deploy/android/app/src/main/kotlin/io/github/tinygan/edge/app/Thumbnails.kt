package io.github.tinygan.edge.app

import android.graphics.Bitmap
import android.util.LruCache
import android.widget.ImageView
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.classWeights
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.withContext

/** Small images that stand for a class or a recipe, drawn by the model that is open and kept for a while. */
class Thumbnails(private val services: Services) {
    private val cache = LruCache<String, Bitmap>(CACHED)

    /**
     * Shows the image of a recipe in a view, at once or when it is drawn; none for null.
     *
     * @param scope ends with the screen.
     * @param settings say with which model to draw.
     */
    fun show(view: ImageView, scope: CoroutineScope, catalog: Catalog, settings: Settings, recipe: Recipe?) {
        (view.tag as? Job)?.cancel() // the view stood for another row
        if (recipe == null) return view.setImageBitmap(null)
        val offer = catalog.offer(settings.offer)
        val key = "${offer.id} ${recipe.query}"
        val known = cache.get(key)
        view.setImageBitmap(known)
        view.tag = if (known != null) {
            null
        } else {
            scope.start(failed = { }) {
                val bitmap = withContext(services.inference) { draw(catalog, offer, settings.threads, recipe) }
                cache.put(key, bitmap)
                view.setImageBitmap(bitmap)
            }
        }
    }

    private fun draw(catalog: Catalog, offer: Offer, threads: Int, recipe: Recipe): Bitmap {
        val generator = services.studio.generator(catalog, offer, threads)
        val model = catalog.manifest.model
        val latent = model.latent(recipe.seed, recipe.truncation)
        return generator.generate(latent, model.classWeights(recipe.classes)).toBitmap()
    }

    private companion object {
        const val CACHED = 500
    }
}
