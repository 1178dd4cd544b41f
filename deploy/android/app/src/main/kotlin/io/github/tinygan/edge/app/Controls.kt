package io.github.tinygan.edge.app

import android.app.Activity
import android.os.Bundle
import android.text.format.Formatter
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ImageButton
import android.widget.RadioGroup
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import kotlin.random.Random

/**
 * The controls of the main screen: they show the settings and change them.
 *
 * @param picker what [savePicker] returned, if the class picker was open.
 */
class Controls(
    private val activity: Activity,
    private val presenter: MainPresenter,
    private val processor: Processor,
    private var picker: Bundle?,
) {
    private enum class Slot { START, END }

    private var openPicker: Pair<Slot, ClassPicker>? = null
    private val threads: List<Int> = processor.threadChoices
    private var offered: Catalog? = null
    private val truncation: SeekBar = activity.view(R.id.truncation_bar)
    private val classPosition: SeekBar = activity.view(R.id.class_position_bar)
    private val latentPosition: SeekBar = activity.view(R.id.latent_position_bar)
    private val seed: EditText = activity.view(R.id.seed_edit)
    private val endSeed: EditText = activity.view(R.id.morph_seed_edit)
    private val models: Spinner = activity.view(R.id.model_spinner)
    private val threadCounts: Spinner = activity.view(R.id.threads_spinner)
    private val modes: RadioGroup = activity.view(R.id.mode_group)

    init {
        modes.setOnCheckedChangeListener { _, id ->
            val mode = if (id == R.id.mode_morph) Mode.MORPH else Mode.GRID
            presenter.change { it.copy(mode = mode) }
        }
        activity.view<Button>(R.id.class_button).setOnClickListener { open(Slot.START, "") }
        activity.view<Button>(R.id.morph_class_button).setOnClickListener { open(Slot.END, "") }
        seed.afterChange { text -> readSeed(seed, text) { settings, value -> settings.copy(seed = value) } }
        endSeed.afterChange { text -> readSeed(endSeed, text) { settings, value -> settings.copy(endSeed = value) } }
        onClick(R.id.seed_minus) { it.copy(seed = it.seed - 1u) }
        onClick(R.id.seed_plus) { it.copy(seed = it.seed + 1u) }
        onClick(R.id.seed_random) { it.copy(seed = randomSeed()) }
        onClick(R.id.morph_seed_random) { it.copy(endSeed = randomSeed()) }
        truncation.onMoved { step -> presenter.change { it.copy(truncation = step + 1) } }
        classPosition.onMoved { step -> presenter.change { it.copy(classPosition = step) } }
        latentPosition.onMoved { step -> presenter.change { it.copy(latentPosition = step) } }
        threadCounts.adapter = choices(threads.map(::threadText))
        threadCounts.onChosen { position -> presenter.change { it.copy(threads = threads[position]) } }
        models.onChosen { position ->
            val file = offered?.offers?.get(position)?.artifact?.file
            presenter.change { settings ->
                val shown = offered?.offer(settings.artifact)?.artifact?.file
                if (file == shown) settings else settings.copy(artifact = file)
            }
        }
    }

    /** Shows the settings of a state. */
    fun show(state: MainState) {
        val (catalog, settings) = (state.catalog ?: return) to (state.settings ?: return)
        if (catalog !== offered) offer(catalog)
        modes.check(if (settings.mode == Mode.MORPH) R.id.mode_morph else R.id.mode_grid)
        for (id in MORPH_VIEWS) {
            activity.view<View>(id).visibility = if (settings.mode == Mode.MORPH) View.VISIBLE else View.GONE
        }
        models.setSelection(catalog.offers.indexOf(catalog.offer(settings.artifact)))
        threadCounts.setSelection(threads.indexOf(settings.threads).coerceAtLeast(0))
        showSeed(seed, settings.seed)
        showSeed(endSeed, settings.endSeed)
        showClasses(catalog, settings)
        showSliders(catalog, settings)
        picker?.let { saved ->
            picker = null
            open(Slot.valueOf(saved.getString(SLOT, Slot.START.name)), saved.getString(QUERY, ""))
        }
    }

    /** Returns the open class picker, or null. */
    fun savePicker(): Bundle? = openPicker?.let { (slot, dialog) ->
        Bundle().apply {
            putString(SLOT, slot.name)
            putString(QUERY, dialog.query)
        }
    } ?: picker

    /** Closes the class picker: the screen is going away. */
    fun abandonPicker() {
        openPicker?.second?.abandon()
        openPicker = null
    }

    private fun open(slot: Slot, query: String) {
        val (catalog, settings) = (presenter.state.catalog ?: return) to (presenter.state.settings ?: return)
        val current = if (slot == Slot.START) settings.classIndex else settings.endClass
        val choose: (Int) -> Unit = { index ->
            presenter.change { if (slot == Slot.START) it.copy(classIndex = index) else it.copy(endClass = index) }
        }
        abandonPicker()
        openPicker = slot to ClassPicker(activity, catalog.manifest.model, current, query, choose) { openPicker = null }
    }

    private fun onClick(id: Int, transform: (Settings) -> Settings) =
        activity.view<ImageButton>(id).setOnClickListener { presenter.change(transform) }

    private fun readSeed(field: EditText, text: String, change: (Settings, ULong) -> Settings) {
        if (text.isEmpty()) return // while another number is being typed
        val value = text.toULongOrNull()
        field.error = if (value == null) activity.getString(R.string.seed_wrong) else null
        if (value != null) presenter.change { change(it, value) }
    }

    // What the user types stays as it is: 007 and 7 are one seed.
    private fun showSeed(field: EditText, value: ULong) {
        val text = field.text.toString()
        if (text.toULongOrNull() != value && !(field.isFocused && text.isEmpty())) field.setText(value.toString())
    }

    private fun showClasses(catalog: Catalog, settings: Settings) {
        val model = catalog.manifest.model
        showClass(R.id.class_button, model.className(settings.classIndex))
        showClass(R.id.morph_class_button, model.className(settings.endClass))
    }

    private fun showClass(id: Int, name: String) = activity.view<Button>(id).run {
        text = name
        contentDescription = activity.getString(R.string.class_hint, name)
    }

    private fun showSliders(catalog: Catalog, settings: Settings) {
        val (model, trained) = catalog.manifest.model to catalog.manifest.truncation
        val value = settings.truncation / Settings.HUNDRED.toDouble()
        val label = if (value > trained) {
            activity.getString(R.string.truncation_above, value, trained)
        } else {
            activity.getString(R.string.truncation_value, value)
        }
        show(truncation, settings.truncation - 1, R.id.truncation_label, label)
        val (toClass, toLatent) = settings.classPosition to settings.latentPosition
        val classes = activity.getString(
            R.string.class_position,
            model.className(settings.classIndex),
            Settings.HUNDRED - toClass,
            model.className(settings.endClass),
            toClass,
        )
        show(classPosition, toClass, R.id.class_position_label, classes)
        val latents = activity.getString(
            R.string.latent_position,
            settings.seed.toString(),
            Settings.HUNDRED - toLatent,
            settings.endSeed.toString(),
            toLatent,
        )
        show(latentPosition, toLatent, R.id.latent_position_label, latents)
    }

    private fun show(bar: SeekBar, progress: Int, labelId: Int, label: String) {
        bar.progress = progress
        bar.contentDescription = label
        activity.view<TextView>(labelId).text = label
    }

    private fun offer(catalog: Catalog) {
        offered = catalog
        models.adapter = choices(
            catalog.offers.map { (artifact, runtime) ->
                val size = Formatter.formatShortFileSize(activity, artifact.bytes)
                activity.getString(R.string.model_item, runtime.label, artifact.precision, size)
            },
        )
    }

    private fun choices(texts: List<String>) =
        ArrayAdapter(activity, R.layout.item_spinner, android.R.id.text1, texts)

    private fun threadText(count: Int): String {
        val areBig = count == processor.bigCores && count < processor.cores
        val text = if (areBig) R.plurals.threads_big else R.plurals.threads
        return activity.resources.getQuantityString(text, count, count)
    }

    private companion object {
        const val SLOT = "slot"
        const val QUERY = "query"
        val MORPH_VIEWS = listOf(R.id.morph_panel, R.id.morph_class_group, R.id.morph_seed_group)

        /** Short enough to be remembered and told. */
        const val RANDOM_SEEDS = 1_000_000

        fun randomSeed(): ULong = Random.nextInt(RANDOM_SEEDS).toULong()
    }
}
