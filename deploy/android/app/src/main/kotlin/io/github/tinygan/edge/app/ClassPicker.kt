package io.github.tinygan.edge.app

import android.app.Activity
import android.app.AlertDialog
import android.text.Editable
import android.text.TextWatcher
import android.widget.AbsListView
import android.widget.ArrayAdapter
import android.widget.EditText
import android.widget.ListView
import io.github.tinygan.edge.core.Model

/**
 * A dialog to choose one of many classes by name or number.
 *
 * @param initialQuery what the search field holds at first.
 */
class ClassPicker(
    private val activity: Activity,
    private val model: Model,
    private val current: Int,
    initialQuery: String,
    private val chosen: (Int) -> Unit,
    private val closed: () -> Unit,
) {
    private val content = checkNotNull(activity.layoutInflater.inflate(R.layout.dialog_classes, null))
    private val input: EditText = content.findIn(R.id.picker_query)
    private val list: ListView = content.findIn(R.id.picker_list)
    private var shown: List<Int> = emptyList()
    private val dialog: AlertDialog = AlertDialog.Builder(activity)
        .setTitle(R.string.picker_title)
        .setView(content)
        .setNegativeButton(R.string.cancel, null)
        .setOnDismissListener { closed() }
        .create()

    /** What the search field holds. */
    val query: String get() = input.text.toString()

    init {
        list.choiceMode = AbsListView.CHOICE_MODE_SINGLE
        list.emptyView = content.findIn(R.id.picker_empty)
        list.setOnItemClickListener { _, _, position, _ ->
            chosen(shown[position])
            dialog.dismiss()
        }
        input.setText(initialQuery)
        input.afterChange { filter() }
        filter()
        dialog.show()
    }

    /** Closes the dialog without telling anyone: its screen is going away. */
    fun abandon() {
        dialog.setOnDismissListener(null)
        dialog.dismiss()
    }

    private fun filter() {
        shown = model.classesLike(query)
        val names = shown.map { index ->
            val name = model.className(index)
            if (name == index.toString()) name else activity.getString(R.string.picker_item, index, name)
        }
        list.adapter = ArrayAdapter(activity, R.layout.row_class, android.R.id.text1, names)
        val position = shown.indexOf(current)
        if (position >= 0) {
            list.setItemChecked(position, true)
            list.setSelection(position)
        }
    }
}

/** Returns the classes whose name holds every word of [query], or whose number begins with it; all for a blank one. */
fun Model.classesLike(query: String): List<Int> {
    val words = query.trim().split(Regex("\\s+"))
    return drawable.filter { index ->
        index.toString().startsWith(query.trim()) || words.all { className(index).contains(it, ignoreCase = true) }
    }
}

/** Calls [changed] after every change of the text. */
fun EditText.afterChange(changed: (String) -> Unit) {
    addTextChangedListener(
        object : TextWatcher {
            override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

            override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit

            override fun afterTextChanged(text: Editable?) = changed(text.toString())
        },
    )
}
