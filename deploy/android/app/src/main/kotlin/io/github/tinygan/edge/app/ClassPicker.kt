package io.github.tinygan.edge.app

import android.app.Activity
import android.app.AlertDialog
import android.view.View
import android.view.ViewGroup
import android.widget.AbsListView
import android.widget.BaseAdapter
import android.widget.EditText
import android.widget.ImageView
import android.widget.ListView
import android.widget.TextView
import io.github.tinygan.edge.core.BundledClass
import io.github.tinygan.edge.core.like

/**
 * A dialog to choose one of many classes by its picture, its name or its number.
 *
 * @param choices of the models of the app.
 * @param current the class that is chosen.
 * @param initialQuery what the search field holds at first.
 */
class ClassPicker(
    private val activity: Activity,
    private val choices: List<BundledClass>,
    private val current: BundledClass?,
    initialQuery: String,
    private val thumbnail: (ImageView, BundledClass) -> Unit,
    private val chosen: (BundledClass) -> Unit,
    private val closed: () -> Unit
) {
    private val content = checkNotNull(activity.layoutInflater.inflate(R.layout.dialog_classes, null))
    private val input: EditText = content.findIn(R.id.picker_query)
    private val list: ListView = content.findIn(R.id.picker_list)
    private val rows = Rows()
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
        list.adapter = rows
        list.setOnItemClickListener { _, _, position, _ ->
            chosen(rows.shown[position])
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
        rows.shown = choices.like(query)
        list.clearChoices()
        val position = rows.shown.indexOf(current)
        if (position >= 0) {
            list.setItemChecked(position, true)
            list.setSelection(position)
        }
    }

    private inner class Rows : BaseAdapter() {
        var shown: List<BundledClass> = emptyList()
            set(value) {
                field = value
                notifyDataSetChanged()
            }

        override fun getCount(): Int = shown.size

        override fun getItem(position: Int): String {
            val (number, name) = shown[position]
            return if (name == number.toString()) name else activity.getString(R.string.picker_item, number, name)
        }

        override fun getItemId(position: Int): Long = shown[position].number.toLong()

        override fun getView(position: Int, convertView: View?, parent: ViewGroup): View {
            val row = convertView ?: activity.layoutInflater.inflate(R.layout.row_class, parent, false)
            row.findIn<TextView>(android.R.id.text1).text = getItem(position)
            thumbnail(row.findIn(R.id.row_image), shown[position])
            return row
        }
    }
}
