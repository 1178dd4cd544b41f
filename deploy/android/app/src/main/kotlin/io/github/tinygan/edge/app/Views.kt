package io.github.tinygan.edge.app

import android.app.Activity
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.widget.AdapterView
import android.widget.EditText
import android.widget.SeekBar

/** Returns a view of the screen that its layout must hold. */
fun <T : View> Activity.view(id: Int): T = checkNotNull(findViewById<T>(id)) { resources.getResourceEntryName(id) }

/** Returns a view below this one that its layout must hold. */
fun <T : View> View.findIn(id: Int): T = checkNotNull(findViewById<T>(id)) { resources.getResourceEntryName(id) }

/** Calls [moved] when the user moves the slider. */
fun SeekBar.onMoved(moved: (Int) -> Unit) {
    setOnSeekBarChangeListener(
        object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                if (fromUser) moved(progress)
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        }
    )
}

/** Calls [chosen] with the position of every item that is selected. */
fun AdapterView<*>.onChosen(chosen: (Int) -> Unit) {
    onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
        override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, id: Long) = chosen(position)

        override fun onNothingSelected(parent: AdapterView<*>?) = Unit
    }
}

/** Calls [changed] after every change of the text. */
fun EditText.afterChange(changed: (String) -> Unit) {
    addTextChangedListener(
        object : TextWatcher {
            override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

            override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit

            override fun afterTextChanged(text: Editable?) = changed(text.toString())
        }
    )
}
