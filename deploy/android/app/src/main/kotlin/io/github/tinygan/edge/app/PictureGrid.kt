package io.github.tinygan.edge.app

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup
import kotlin.math.min

/** Lays its children out in square cells, row by row, in the largest square that fits. */
class PictureGrid @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) :
    ViewGroup(context, attributes) {
    private val gap = resources.getDimensionPixelSize(R.dimen.gap_small)

    /** Cells in a row, and rows. */
    var columns: Int = 1
        set(value) {
            require(value >= 1) { "$value columns hold nothing" }
            field = value
            requestLayout()
        }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val bounded = MeasureSpec.getMode(heightMeasureSpec) != MeasureSpec.UNSPECIFIED
        val side = if (bounded) min(width, MeasureSpec.getSize(heightMeasureSpec)) else width
        val cell = MeasureSpec.makeMeasureSpec(cellSize(side), MeasureSpec.EXACTLY)
        for (index in 0 until childCount) getChildAt(index).measure(cell, cell)
        setMeasuredDimension(width, resolveSize(side, heightMeasureSpec))
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        val width = right - left
        val height = bottom - top
        val side = min(width, height)
        val cell = cellSize(side)
        for (index in 0 until childCount) {
            val row = index / columns
            val place = index % columns
            val column = if (layoutDirection == View.LAYOUT_DIRECTION_RTL) columns - 1 - place else place
            val x = (width - side) / 2 + column * (cell + gap)
            val y = (height - side) / 2 + row * (cell + gap)
            getChildAt(index).layout(x, y, x + cell, y + cell)
        }
    }

    private fun cellSize(side: Int) = ((side - (columns - 1) * gap) / columns).coerceAtLeast(0)
}
