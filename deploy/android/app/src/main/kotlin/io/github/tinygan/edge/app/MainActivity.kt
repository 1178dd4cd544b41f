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
import android.widget.ProgressBar
import android.widget.TextView

/** The main screen: choose what to draw, look at it, save and share it. */
class MainActivity : Activity(), MainPresenter.Screen {
    private lateinit var presenter: MainPresenter
    private lateinit var controls: Controls
    private lateinit var pictures: PictureViews

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_main)
        SystemBars.pad(view(R.id.root))
        setActionBar(view(R.id.toolbar))
        val services = (application as EdgeApplication).services
        presenter = lastNonConfigurationInstance as? MainPresenter
            ?: MainPresenter(services, savedInstanceState?.getBundle(SETTINGS))
        controls = Controls(this, presenter, services.processor, savedInstanceState?.getBundle(PICKER))
        pictures = PictureViews(view(R.id.grid)) { index -> presenter.change { it.copy(selected = index) } }
        view<Button>(R.id.generate_button).setOnClickListener { presenter.draw() }
        view<Button>(R.id.cancel_button).setOnClickListener { presenter.cancel() }
        view<Button>(R.id.save_button).setOnClickListener { presenter.save(applicationContext) }
        view<Button>(R.id.share_button).setOnClickListener { presenter.share(applicationContext) }
        presenter.attach(this)
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

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        if (item.itemId != R.id.action_benchmark) return super.onOptionsItemSelected(item)
        startActivity(Intent(this, BenchmarkActivity::class.java))
        return true
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val file = data?.data ?: return
        if (requestCode == CHOOSE_FILE && resultCode == RESULT_OK) presenter.saveTo(applicationContext, file)
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
    }

    override fun share(uri: Uri) {
        val send = Intent(Intent.ACTION_SEND).apply {
            type = Gallery.TYPE
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
        try {
            startActivityForResult(create, CHOOSE_FILE)
        } catch (error: ActivityNotFoundException) {
            presenter.complain(error)
        }
    }

    private fun showStatus(state: MainState) {
        val status = state.status
        view<TextView>(R.id.status_text).text = when (status) {
            is Status.Loading -> getString(R.string.status_loading)
            is Status.Verifying -> getString(R.string.status_verifying)
            is Status.Drawing -> getString(R.string.status_drawing)
            is Status.Done ->
                resources.getQuantityString(R.plurals.status_done, status.count, status.count, status.millisecondsEach)
            is Status.Cancelled -> getString(R.string.status_cancelled)
            is Status.Failed -> getString(R.string.status_failed)
            is Status.Saved -> savedText(status)
        }
        view<ProgressBar>(R.id.progress).apply {
            visibility = if (state.isBusy) View.VISIBLE else View.INVISIBLE
            isIndeterminate = status !is Status.Drawing
            if (status is Status.Drawing) {
                max = status.total
                progress = status.done
            }
        }
    }

    private fun savedText(status: Status.Saved): String {
        if (!status.inGallery) return getString(R.string.status_saved_file)
        return getString(R.string.status_saved_gallery, Gallery.FOLDER)
    }

    private companion object {
        const val SETTINGS = "settings"
        const val PICKER = "picker"
        const val CHOOSE_FILE = 1
    }
}
