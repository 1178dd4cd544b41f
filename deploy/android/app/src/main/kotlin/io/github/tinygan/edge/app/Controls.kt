package io.github.tinygan.edge.app

import android.app.Activity
import android.os.Bundle
import android.text.format.Formatter
import android.view.View
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ImageButton
import android.widget.ImageView
import android.widget.RadioGroup
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import io.github.tinygan.edge.core.BundledClass
import io.github.tinygan.edge.core.Model
import kotlin.math.roundToInt
import kotlin.random.Random

/**
 * The controls of the main screen: they show the settings and change them.
 *
 * @param picker what [savePicker] returned, if the class picker was open.
 */
class Controls(
    private val activity: Activity,
    private val presenter: MainPresenter,
    private val services: Services,
    private var picker: Bundle?
) {
    private class OpenPicker(val slot: Slot, val dialog: ClassPicker)

    private val processor: Processor = services.processor
    private var openPicker: OpenPicker? = null
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
    private val pad: BlendPad = activity.view(R.id.blend_pad)

    init {
        modes.setOnCheckedChangeListener { _, id ->
            val mode = MODES.entries.firstOrNull { it.value == id }?.key
            if (mode != null) presenter.change { it.copy(mode = mode, selected = 0) }
        }
        for (slot in Slot.entries) activity.view<Button>(slot.button).setOnClickListener { open(slot, "") }
        pad.onMoved = { weights -> presenter.change { it.copy(blend = BlendPad.shares(it.corners, weights)) } }
        seed.afterChange { text -> readSeed(seed, text) { settings, value -> settings.copy(seed = value) } }
        endSeed.afterChange { text -> readSeed(endSeed, text) { settings, value -> settings.copy(endSeed = value) } }
        onClick(R.id.seed_minus) { it.copy(seed = it.seed - 1u) }
        onClick(R.id.seed_plus) { it.copy(seed = it.seed + 1u) }
        onClick(R.id.seed_random) { it.copy(seed = randomSeed()) }
        onClick(R.id.morph_seed_random) { it.copy(endSeed = randomSeed()) }
        truncation.onMoved { step ->
            presenter.change { it.copy(truncation = (step + 1) / Settings.HUNDRED.toDouble()) }
        }
        classPosition.onMoved { step -> presenter.change { it.copy(classPosition = step) } }
        latentPosition.onMoved { step -> presenter.change { it.copy(latentPosition = step) } }
        threadCounts.adapter = choices(threads.map(::threadText))
        threadCounts.onChosen { position -> presenter.change { it.copy(threads = threads[position]) } }
        models.onChosen { position ->
            val key = offered?.offers?.get(position)?.key
            presenter.change { settings ->
                val shown = offered?.offer(settings.offer)?.key
                if (key == shown) settings else settings.copy(offer = key)
            }
        }
    }

    /** Shows the settings of a state. */
    fun show(state: MainState) {
        val catalog = state.catalog ?: return
        val settings = state.settings ?: return
        if (catalog !== offered) offer(catalog)
        modes.check(MODES.getValue(settings.mode))
        for ((id, shownIn) in PANELS) {
            activity.view<View>(id).visibility = if (settings.mode in shownIn) View.VISIBLE else View.GONE
        }
        models.setSelection(catalog.offers.indexOf(catalog.offer(settings.offer)))
        threadCounts.setSelection(threads.indexOf(settings.threads).coerceAtLeast(0))
        showSeed(seed, settings.seed)
        showSeed(endSeed, settings.endSeed)
        showClasses(catalog, settings)
        showSliders(catalog, settings)
        showBlend(catalog.manifest.model, settings)
        picker?.let { saved ->
            picker = null
            open(Slot.valueOf(saved.getString(SLOT, Slot.START.name)), saved.getString(QUERY, ""))
        }
    }

    /** Returns the open class picker, or null. */
    fun savePicker(): Bundle? = openPicker?.let { open ->
        Bundle().apply {
            putString(SLOT, open.slot.name)
            putString(QUERY, open.dialog.query)
        }
    } ?: picker

    /** Closes the class picker: the screen is going away. */
    fun abandonPicker() {
        openPicker?.dialog?.abandon()
        openPicker = null
    }

    private fun open(slot: Slot, query: String) {
        val catalog = presenter.state.catalog ?: return
        val settings = presenter.state.settings ?: return
        val choose: (BundledClass) -> Unit = { item ->
            if (item.group == catalog.group) {
                presenter.change { slot.choose(it, item.index) }
            } else {
                presenter.enter(item.group, item.index)
            }
        }
        // Between two classes, both are of one model.
        val choices = catalog.bundle.classes.filter { slot == Slot.START || it.group == catalog.group }
        abandonPicker()
        val current = choices.firstOrNull { it.group == catalog.group && it.index == slot.shown(settings) }
        val thumbnail: (ImageView, BundledClass) -> Unit = { view, item ->
            services.thumbnails.show(view, presenter.scope, catalog, settings, catalog.recipe(item))
        }
        val dialog = ClassPicker(activity, choices, current, query, thumbnail, choose) { openPicker = null }
        openPicker = OpenPicker(slot, dialog)
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
        for (slot in Slot.entries) {
            val name = catalog.manifest.model.title(slot.shown(settings))
            activity.view<Button>(slot.button).run {
                text = name
                contentDescription = activity.getString(slot.hint, name)
            }
        }
    }

    private fun showBlend(model: Model, settings: Settings) {
        pad.weights = BlendPad.weightsOf(settings.corners, settings.blend)
        pad.names = settings.corners.map(model::title)
        val parts = settings.blend.joinToString { share ->
            activity.getString(R.string.blend_part, model.title(share.index), share.weight * Settings.HUNDRED)
        }
        activity.view<TextView>(R.id.blend_label).text = parts
        pad.contentDescription = activity.getString(R.string.pad_says, parts)
    }

    private fun showSliders(catalog: Catalog, settings: Settings) {
        val model = catalog.manifest.model
        val trained = catalog.manifest.truncation
        val value = settings.truncation
        val label = if (value > trained) {
            activity.getString(R.string.truncation_above, value, trained)
        } else {
            activity.getString(R.string.truncation_value, value)
        }
        show(truncation, (value * Settings.HUNDRED).roundToInt() - 1, R.id.truncation_label, label)
        val toClass = settings.classPosition
        val toLatent = settings.latentPosition
        val classes = activity.getString(
            R.string.class_position,
            model.title(settings.classIndex),
            Settings.HUNDRED - toClass,
            model.title(settings.endClass),
            toClass
        )
        show(classPosition, toClass, R.id.class_position_label, classes)
        val latents = activity.getString(
            R.string.latent_position,
            settings.seed.toString(),
            Settings.HUNDRED - toLatent,
            settings.endSeed.toString(),
            toLatent
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
            catalog.offers.map { offer ->
                val size = Formatter.formatShortFileSize(activity, offer.artifact.bytes)
                val file = activity.getString(R.string.model_item, offer.runtime.label, offer.artifact.precision, size)
                val isOnly = catalog.bundle.groups[catalog.group].models.size == 1
                if (isOnly) file else activity.getString(R.string.model_item_of, offer.model.name, file)
            }
        )
        val possible = Settings.modesOf(catalog.manifest.model)
        for ((mode, id) in MODES) activity.view<View>(id).visibility = if (mode in possible) View.VISIBLE else View.GONE
    }

    private fun choices(texts: List<String>) = ArrayAdapter(activity, R.layout.item_spinner, android.R.id.text1, texts)

    private fun threadText(count: Int): String {
        val areBig = count == processor.bigCores && count < processor.cores
        val text = if (areBig) R.plurals.threads_big else R.plurals.threads
        return activity.resources.getQuantityString(text, count, count)
    }

    private companion object {
        const val SLOT = "slot"
        const val QUERY = "query"
        val MODES = mapOf(
            Mode.GRID to R.id.mode_grid,
            Mode.MORPH to R.id.mode_morph,
            Mode.BLEND to R.id.mode_blend,
            Mode.PLAY to R.id.mode_play
        )
        val PANELS = mapOf(
            R.id.morph_panel to setOf(Mode.MORPH),
            R.id.morph_class_group to setOf(Mode.MORPH),
            R.id.morph_seed_group to setOf(Mode.MORPH),
            R.id.blend_panel to setOf(Mode.BLEND),
            R.id.play_panel to setOf(Mode.PLAY),
            R.id.class_group to setOf(Mode.GRID, Mode.MORPH)
        )

        /** Short enough to be remembered and told. */
        const val RANDOM_SEEDS = 1_000_000

        fun randomSeed(): ULong = Random.nextInt(RANDOM_SEEDS).toULong()
    }
}
