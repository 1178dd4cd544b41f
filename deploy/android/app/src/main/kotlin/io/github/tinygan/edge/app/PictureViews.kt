package io.github.tinygan.edge.app

import android.content.Context
import android.view.View
import android.view.ViewOutlineProvider
import android.widget.ImageView

/** The images of the main screen as views in [grid]. */
class PictureViews(private val grid: PictureGrid, private val chosen: (Int) -> Unit) {
    private val context: Context = grid.context
    private val shown = ArrayList<Picture?>()

    /** Shows the images of a state; only those that changed are touched. */
    fun show(state: MainState) {
        val count = state.settings?.count ?: Settings.GRID_COUNT
        if (grid.childCount != count) rebuild(count)
        for (index in 0 until count) {
            val view = grid.getChildAt(index) as ImageView
            val picture = state.pictures.getOrNull(index)
            if (picture !== shown[index]) {
                shown[index] = picture
                if (picture == null) view.setImageDrawable(null) else view.setImageBitmap(picture.image.toBitmap())
            }
            view.contentDescription =
                picture?.let { describe(it, index, count) } ?: context.getString(R.string.image_empty)
            view.isEnabled = picture != null
            view.isSelected = count > 1 && picture != null && picture === state.selectedPicture
        }
    }

    private fun rebuild(count: Int) {
        grid.removeAllViews()
        shown.clear()
        grid.columns = if (count == 1) 1 else COLUMNS
        repeat(count) { index ->
            shown.add(null)
            grid.addView(cell(index))
        }
    }

    private fun cell(index: Int): View = ImageView(context).apply {
        scaleType = ImageView.ScaleType.FIT_XY
        setBackgroundResource(R.drawable.image_placeholder)
        outlineProvider = ViewOutlineProvider.BACKGROUND
        clipToOutline = true
        foreground = context.getDrawable(R.drawable.image_frame)
        isFocusable = true
        setOnClickListener { chosen(index) }
    }

    private fun describe(picture: Picture, index: Int, count: Int): String {
        val first = picture.classes.first()
        val last = picture.classes.last()
        if (count == 1) return context.getString(R.string.image_of_morph, first, last)
        return context.getString(R.string.image_of_class, index + 1, count, first, picture.shot.seed.toString())
    }

    private companion object {
        const val COLUMNS = 3
    }
}
