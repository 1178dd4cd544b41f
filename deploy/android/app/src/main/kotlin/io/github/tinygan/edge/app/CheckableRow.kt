package io.github.tinygan.edge.app

import android.content.Context
import android.util.AttributeSet
import android.widget.Checkable
import android.widget.CheckedTextView
import android.widget.LinearLayout

/** A row of a list with a picture and a text; the text is checked with the row. */
class CheckableRow @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) :
    LinearLayout(context, attributes),
    Checkable {
    private val text: CheckedTextView get() = findIn(android.R.id.text1)

    override fun isChecked(): Boolean = text.isChecked

    override fun setChecked(checked: Boolean) {
        text.isChecked = checked
        isActivated = checked
    }

    override fun toggle() {
        isChecked = !isChecked
    }
}
