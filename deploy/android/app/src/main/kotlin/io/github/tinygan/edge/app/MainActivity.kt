package io.github.tinygan.edge.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.Menu
import android.view.MenuItem
import android.view.View
import android.widget.Button
import android.widget.ImageButton
import android.widget.ProgressBar
import android.widget.TextView
import io.github.tinygan.edge.core.PngRecipe
import io.github.tinygan.edge.core.Recipe
import io.github.tinygan.edge.core.RecipeException
import java.io.IOException

/** The main screen: choose what to draw, look at it, save and share it. */
class MainActivity :
    Activity(),
    MainPresenter.Screen {
    private lateinit var services: Services
    private lateinit var presenter: MainPresenter
    private lateinit var controls: Controls
    private lateinit var pictures: PictureViews

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        SystemBars.pad(view(R.id.root)) { isTyping ->
            // What is left beside a keyboard is for the field and the images.
            for (id in listOf(R.id.actions, R.id.result)) {
                view<View>(id).visibility =
                    if (isTyping) View.GONE else View.VISIBLE
            }
        }
        setActionBar(view(R.id.toolbar))
        services = (application as EdgeApplication).services
        val kept = lastNonConfigurationInstance as? MainPresenter
        presenter = kept ?: MainPresenter(services, savedInstanceState?.getBundle(SETTINGS))
        controls = Controls(this, presenter, services, savedInstanceState?.getBundle(PICKER))
        pictures = PictureViews(view(R.id.grid)) { index -> presenter.change { it.copy(selected = index) } }
        view<Button>(R.id.generate_button).setOnClickListener { presenter.draw() }
        view<Button>(R.id.cancel_button).setOnClickListener { presenter.cancel() }
        view<Button>(R.id.save_button).setOnClickListener { presenter.exports.save(applicationContext) }
        view<Button>(R.id.share_button).setOnClickListener { presenter.exports.share(applicationContext) }
        view<Button>(R.id.record_button).setOnClickListener { presenter.exports.record(applicationContext) }
        view<Button>(R.id.link_button).setOnClickListener { presenter.state.recipe?.let { LinkDialog.show(this, it) } }
        view<ImageButton>(R.id.favourite_button).setOnClickListener { presenter.toggleFavourite() }
        presenter.attach(this)
        if (kept == null && savedInstanceState == null) open(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        setIntent(intent)
        open(intent)
    }

    override fun onStart() {
        super.onStart()
        presenter.setVisible(true)
    }

    override fun onStop() {
        if (!isChangingConfigurations) presenter.setVisible(false)
        super.onStop()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        presenter.state.settings?.let { outState.putBundle(SETTINGS, it.toBundle()) }
        controls.savePicker()?.let { outState.putBundle(PICKER, it) }
    }

    // The framework's own way to keep an object over a rotation: there is no view model without androidx.
    override fun onRetainNonConfigurationInstance(): Any = presenter

    override fun onDestroy() {
        controls.abandonPicker()
        if (isChangingConfigurations) presenter.detach() else presenter.close()
        super.onDestroy()
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.main, menu)
        return true
    }

    override fun onPrepareOptionsMenu(menu: Menu): Boolean {
        menu.findItem(R.id.action_app_model).isVisible = services.ownModel.folder != null
        menu.findItem(R.id.action_report).isEnabled = presenter.state.selectedPicture != null
        return super.onPrepareOptionsMenu(menu)
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        when (item.itemId) {
            R.id.action_benchmark -> startActivity(Intent(this, BenchmarkActivity::class.java))
            R.id.action_race -> startActivity(Intent(this, RaceActivity::class.java))
            R.id.action_licences -> startActivity(Intent(this, LicencesActivity::class.java))
            R.id.action_favourites -> FavouritesDialog.show(this, presenter, services)
            R.id.action_open_model -> ask(Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), CHOOSE_FOLDER)
            R.id.action_app_model -> presenter.exports.forgetModel()
            R.id.action_report -> presenter.exports.report(applicationContext, ::report)
            else -> return super.onOptionsItemSelected(item)
        }
        return true
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val file = data?.data?.takeIf { resultCode == RESULT_OK } ?: return
        when (requestCode) {
            CHOOSE_FILE -> presenter.exports.saveTo(applicationContext, file)
            CHOOSE_FOLDER -> presenter.exports.openModel(file)
        }
    }

    override fun render(state: MainState) {
        controls.show(state)
        pictures.show(state)
        showStatus(state)
        view<TextView>(R.id.error_text).apply {
            text = state.error?.let(::sentence)
            visibility = if (state.error == null) View.GONE else View.VISIBLE
        }
        view<Button>(R.id.cancel_button).isEnabled = state.isBusy
        val hasPicture = state.selectedPicture != null
        view<Button>(R.id.save_button).isEnabled = hasPicture
        view<Button>(R.id.share_button).isEnabled = hasPicture
        view<Button>(R.id.link_button).isEnabled = state.recipe != null
        view<ImageButton>(R.id.favourite_button).apply {
            isEnabled = state.recipe != null
            setImageResource(if (state.isFavourite) R.drawable.ic_star else R.drawable.ic_star_empty)
            contentDescription = getString(if (state.isFavourite) R.string.favourite_remove else R.string.favourite_add)
        }
    }

    override fun share(uri: Uri, type: String) {
        val send = Intent(Intent.ACTION_SEND).apply {
            this.type = type
            putExtra(Intent.EXTRA_STREAM, uri)
            clipData = ClipData.newRawUri(null, uri) // carries the permission to read, and the preview
            addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        }
        startActivity(Intent.createChooser(send, getString(R.string.share_title)))
    }

    override fun chooseFile(name: String) {
        val create = Intent(Intent.ACTION_CREATE_DOCUMENT).apply {
            addCategory(Intent.CATEGORY_OPENABLE)
            type = Gallery.TYPE
            putExtra(Intent.EXTRA_TITLE, name)
        }
        ask(create, CHOOSE_FILE)
    }

    private fun ask(intent: Intent, code: Int) {
        try {
            startActivityForResult(intent, code)
        } catch (error: ActivityNotFoundException) {
            presenter.complain(error)
        }
    }

    private fun report(image: Uri, text: String) {
        val send = Intent(Intent.ACTION_SEND).apply {
            type = Gallery.TYPE
            putExtra(Intent.EXTRA_SUBJECT, getString(R.string.report_subject))
            putExtra(Intent.EXTRA_TEXT, text)
            putExtra(Intent.EXTRA_STREAM, image)
            getString(R.string.report_address).takeIf {
                it.isNotEmpty()
            }?.let { putExtra(Intent.EXTRA_EMAIL, arrayOf(it)) }
            clipData = ClipData.newRawUri(null, image)
            addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        }
        startActivity(Intent.createChooser(send, getString(R.string.report)))
    }

    /** Follows a link, or the recipe in a picture that another app shares. */
    private fun open(intent: Intent) {
        try {
            val link = intent.data?.takeIf { intent.action == Intent.ACTION_VIEW }

            @Suppress("DEPRECATION") // the other one is of Android 13
            val picture = intent.takeIf {
                it.action == Intent.ACTION_SEND
            }?.getParcelableExtra<Uri>(Intent.EXTRA_STREAM)
            if (link != null) presenter.follow(Recipe.parse(link.toString()))
            if (picture != null) presenter.follow(read(picture))
        } catch (error: RecipeException) {
            presenter.complain(error)
        } catch (error: IOException) {
            presenter.complain(error)
        }
    }

    private fun read(picture: Uri): Recipe {
        val bytes = contentResolver.openInputStream(picture)?.use { it.readBytes() } ?: throw IOException("$picture")
        return PngRecipe.read(bytes) ?: throw RecipeException("recipe", getString(R.string.recipe_none))
    }

    private fun showStatus(state: MainState) {
        val status = state.status
        view<TextView>(R.id.status_text).apply {
            // Outcomes are spoken; a screen reader would not come to an end with every image of a slider.
            accessibilityLiveRegion =
                if (status.isOutcome) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
            text = statusText(status)
        }
        view<ProgressBar>(R.id.progress).apply {
            visibility = if (state.isBusy && status !is Status.Playing) View.VISIBLE else View.INVISIBLE
            isIndeterminate = status !is Status.Drawing && status !is Status.Recording
            if (status is Status.Drawing) {
                max = status.total
                progress = status.done
            } else if (status is Status.Recording) {
                max = status.total
                progress = status.done
            }
        }
    }

    private fun statusText(status: Status): String = when (status) {
        is Status.Loading -> getString(R.string.status_loading)

        is Status.Verifying -> getString(R.string.status_verifying)

        is Status.Drawing -> getString(R.string.status_drawing)

        is Status.Playing -> getString(R.string.status_playing, status.rate)

        is Status.Recording -> getString(R.string.status_recording, status.done, status.total)

        is Status.Done -> resources.getQuantityString(
            R.plurals.status_done,
            status.count,
            status.count,
            status.firstMilliseconds,
            status.othersMilliseconds
        )

        is Status.Cancelled -> getString(R.string.status_cancelled)

        is Status.Failed -> getString(R.string.status_failed)

        is Status.Saved ->
            if (status.inGallery) {
                getString(
                    R.string.status_saved_gallery,
                    Gallery.FOLDER
                )
            } else {
                getString(R.string.status_saved_file)
            }
    }

    private companion object {
        const val SETTINGS = "settings"
        const val PICKER = "picker"
        const val CHOOSE_FILE = 1
        const val CHOOSE_FOLDER = 2
    }
}

private val Status.isOutcome: Boolean get() = this is Status.Saved || this is Status.Cancelled || this is Status.Failed
