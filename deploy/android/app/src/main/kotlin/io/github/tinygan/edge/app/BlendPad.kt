package io.github.tinygan.edge.app

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.os.Bundle
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import io.github.tinygan.edge.core.ClassShare
import kotlin.math.roundToInt

/**
 * A triangle in which a finger blends the three classes of its corners.
 *
 * TalkBack and keyboards move the point by one action for each corner.
 */
class BlendPad @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) :
    View(context, attributes) {
    /** Weights of the corners in thousandths: top, bottom left, bottom right; they sum to [WHOLE]. */
    var weights: List<Int> = MIDDLE
        set(value) {
            require(value.size == CORNERS && value.sum() == WHOLE && value.all { it >= 0 }) { "$value is no blend" }
            field = value
            invalidate()
        }

    /** Names of the corners, for TalkBack. */
    var names: List<String> = List(CORNERS) { "" }

    /** Is told of the weights that the user chose. */
    var onMoved: (List<Int>) -> Unit = {}

    private val inset = resources.getDimension(R.dimen.pad_inset)
    private val radius = resources.getDimension(R.dimen.pad_point)
    private val area = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.placeholder) }
    private val edge = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.outline)
        style = Paint.Style.STROKE
        strokeWidth = resources.getDimension(R.dimen.stroke)
    }
    private val point = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.primary) }
    private val triangle = Path()

    init {
        isFocusable = true
    }

    override fun onDraw(canvas: Canvas) {
        val corners = corners()
        triangle.reset()
        triangle.moveTo(corners[0].first, corners[0].second)
        for (corner in corners.drop(1)) triangle.lineTo(corner.first, corner.second)
        triangle.close()
        canvas.drawPath(triangle, area)
        canvas.drawPath(triangle, edge)
        val x = corners.indices.map { corners[it].first * weights[it] }.sum() / WHOLE
        val y = corners.indices.map { corners[it].second * weights[it] }.sum() / WHOLE
        canvas.drawCircle(x, y, radius, point)
    }

    @SuppressLint("ClickableViewAccessibility") // the actions below do what a finger does
    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (!isEnabled) return false
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> parent?.requestDisallowInterceptTouchEvent(true)

            // the screen must not scroll
            MotionEvent.ACTION_MOVE, MotionEvent.ACTION_UP -> Unit

            else -> return super.onTouchEvent(event)
        }
        move(weightsAt(event.x, event.y))
        return true
    }

    override fun onInitializeAccessibilityNodeInfo(info: AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(info)
        for ((corner, id) in ACTIONS.withIndex()) {
            val label = context.getString(R.string.pad_more, names[corner])
            info.addAction(AccessibilityNodeInfo.AccessibilityAction(id, label))
        }
    }

    override fun performAccessibilityAction(action: Int, arguments: Bundle?): Boolean {
        val corner = ACTIONS.indexOf(action)
        if (corner < 0) return super.performAccessibilityAction(action, arguments)
        val moved = weights.mapIndexed { index, weight -> if (index == corner) weight + STEP else weight }
        move(normalised(moved.map { it.toFloat() / (WHOLE + STEP) }))
        return true
    }

    private fun move(new: List<Int>) {
        if (new == weights) return
        weights = new
        onMoved(new)
    }

    /** Returns the blend at a place; outside the triangle that of the nearest edge's side. */
    private fun weightsAt(x: Float, y: Float): List<Int> {
        val (top, left, right) = corners()
        val area = (left.second - right.second) * (top.first - right.first) +
            (right.first - left.first) * (top.second - right.second)
        if (area == 0f) return weights // not laid out yet
        val first =
            ((left.second - right.second) * (x - right.first) + (right.first - left.first) * (y - right.second)) / area
        val second =
            ((right.second - top.second) * (x - right.first) + (top.first - right.first) * (y - right.second)) / area
        return normalised(listOf(first, second, 1 - first - second))
    }

    private fun corners(): List<Pair<Float, Float>> {
        val bottom = height - inset
        return listOf(width / 2f to inset, inset to bottom, width - inset to bottom)
    }

    companion object {
        private const val CORNERS = Settings.CORNERS_OF_PAD

        /** What the weights sum to. */
        const val WHOLE: Int = 1000

        /** What one action of TalkBack adds to a corner. */
        private const val STEP = 100

        /** A third of each. */
        val MIDDLE: List<Int> = listOf(334, 333, 333)

        private val ACTIONS = listOf(R.id.action_more_first, R.id.action_more_second, R.id.action_more_third)

        /** Returns weights as shares of classes, without those of nothing. */
        fun shares(classes: List<Int>, weights: List<Int>): List<ClassShare> =
            classes.zip(weights).filter { (_, weight) -> weight > 0 }
                .groupBy({ it.first }, { it.second })
                .map { (index, parts) -> ClassShare(index, parts.sum() / WHOLE.toFloat()) }

        /** Returns the weights of the corners in a blend; the last corner takes what rounding leaves. */
        fun weightsOf(classes: List<Int>, blend: List<ClassShare>): List<Int> {
            val found = classes.map { corner -> blend.firstOrNull { it.index == corner }?.weight ?: 0f }
            return if (found.sum() > 0f) normalised(found) else MIDDLE
        }

        /** Returns parts as thousandths that sum to the whole; negative ones count as nothing. */
        fun normalised(parts: List<Float>): List<Int> {
            val positive = parts.map { it.coerceAtLeast(0f) }
            val sum = positive.sum()
            val rounded = positive.map { (it / sum * WHOLE).roundToInt() }
            val largest = rounded.indexOf(rounded.max())
            return rounded.mapIndexed { index, part -> if (index == largest) part + WHOLE - rounded.sum() else part }
        }
    }
}
