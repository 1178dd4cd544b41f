package io.github.tinygan.edge.app

import android.app.Activity
import android.app.AlertDialog
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.ImageView
import android.widget.TextView
import io.github.tinygan.edge.core.Model
import io.github.tinygan.edge.core.Recipe

/** The images that the user keeps, drawn anew; a tap opens one. */
object FavouritesDialog {
    /** Opens the dialog with those of the model that is open. */
    fun show(activity: Activity, presenter: MainPresenter, services: Services) {
        val catalog = presenter.state.catalog ?: return
        val settings = presenter.state.settings ?: return
        val model = catalog.manifest.model
        val own = services.favourites.all.filter { recipe ->
            catalog.bundle.groupOf(recipe.model) == catalog.group && recipe.classes.all { it.index in model.drawable }
        }
        val rows = Rows(activity, model, own) { view, recipe ->
            services.thumbnails.show(view, presenter.scope, catalog, settings, recipe)
        }
        val dialog = AlertDialog.Builder(activity).setTitle(R.string.favourites_title)
            .setNegativeButton(R.string.cancel, null)
        if (own.isEmpty()) {
            dialog.setMessage(R.string.favourites_empty)
        } else {
            dialog.setAdapter(rows) { _, position -> presenter.follow(own[position]) }
        }
        dialog.show()
    }

    private class Rows(
        private val activity: Activity,
        private val model: Model,
        private val recipes: List<Recipe>,
        private val thumbnail: (ImageView, Recipe) -> Unit
    ) : BaseAdapter() {
        override fun getCount(): Int = recipes.size

        override fun getItem(position: Int): Recipe = recipes[position]

        override fun getItemId(position: Int): Long = position.toLong()

        override fun getView(position: Int, convertView: View?, parent: ViewGroup): View {
            val recipe = recipes[position]
            val row = convertView ?: activity.layoutInflater.inflate(R.layout.row_class, parent, false)
            val classes = recipe.classes.joinToString { model.title(it.index) }
            row.findIn<TextView>(android.R.id.text1).text =
                activity.getString(R.string.favourite_item, classes, recipe.seed.toString())
            thumbnail(row.findIn(R.id.row_image), recipe)
            return row
        }
    }
}
