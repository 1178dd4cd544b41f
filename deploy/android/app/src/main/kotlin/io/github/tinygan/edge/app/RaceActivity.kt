package io.github.tinygan.edge.app

import android.app.Activity
import android.content.ClipData
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.drawable.BitmapDrawable
import android.os.Build
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import kotlin.math.roundToInt
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancel
import kotlinx.coroutines.withContext

/** All models of the app side by side, each with its images a second, as a card that can be shared. */
class RaceActivity : Activity() {
    private lateinit var services: Services
    private lateinit var scope: CoroutineScope
    private var running: Job? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_race)
        SystemBars.pad(view(R.id.root))
        setActionBar(view(R.id.toolbar))
        actionBar?.setDisplayHomeAsUpEnabled(true)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        services = (application as EdgeApplication).services
        scope = services.scope()
        view<TextView>(R.id.race_device).text = "${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE}"
        view<Button>(R.id.race_run).setOnClickListener { run() }
        view<Button>(R.id.race_share).setOnClickListener { share() }
        run()
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    private fun run() {
        running?.cancel()
        setRunning(true)
        running = scope.start(::complain) {
            val catalog = withContext(services.inference) { services.store.catalog() }
            val model = catalog.manifest.model
            view<TextView>(R.id.race_title).text =
                getString(R.string.race_subject, getString(R.string.app_name), model.imageSize)
            Race(services, catalog, intent.getIntExtra("turns", Race.TURNS)).run().collect(::show)
            setRunning(false)
        }
    }

    private fun setRunning(isRunning: Boolean) {
        view<Button>(R.id.race_run).isEnabled = !isRunning
        view<Button>(R.id.race_share).isEnabled = !isRunning
    }

    private fun complain(error: Exception) {
        setRunning(false)
        view<TextView>(R.id.error_text).apply {
            text = sentence(error)
            visibility = View.VISIBLE
        }
    }

    private fun show(lanes: List<Lane>) {
        val table = view<LinearLayout>(R.id.race_lanes)
        while (table.childCount < lanes.size) table.addView(layoutInflater.inflate(R.layout.row_lane, table, false))
        val fastest = lanes.mapNotNull { it.rate }.maxOrNull()
        for ((index, lane) in lanes.withIndex()) show(table.getChildAt(index), lane, fastest)
    }

    private fun show(row: View, lane: Lane, fastest: Double?) {
        row.findIn<TextView>(R.id.lane_name).text =
            getString(R.string.lane_name, lane.offer.runtime.label, lane.offer.artifact.precision)
        row.findIn<TextView>(R.id.lane_rate).text = lane.error?.let(::sentence)
            ?: lane.rate?.let { getString(R.string.race_rate, it) } ?: getString(R.string.race_waiting)
        row.findIn<ProgressBar>(R.id.lane_bar).progress =
            if (fastest == null) 0 else ((lane.rate ?: 0.0) / fastest * Settings.HUNDRED).roundToInt()
        lane.latest?.let { image ->
            val drawable = BitmapDrawable(resources, image.toBitmap())
            drawable.isFilterBitmap = false
            row.findIn<ImageView>(R.id.lane_image).setImageDrawable(drawable)
        }
    }

    private fun share() {
        val card = view<View>(R.id.race_card)
        val bitmap = Bitmap.createBitmap(card.width, card.height, Bitmap.Config.ARGB_8888)
        card.draw(Canvas(bitmap))
        scope.start(::complain) {
            val uri = withContext(services.inference) {
                val file = ImageProvider.newFile(this@RaceActivity, "tinygan-race.png")
                file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
                ImageProvider.addressOf(this@RaceActivity, file)
            }
            val send = Intent(Intent.ACTION_SEND).apply {
                type = Gallery.TYPE
                putExtra(Intent.EXTRA_STREAM, uri)
                clipData = ClipData.newRawUri(null, uri)
                addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
            }
            startActivity(Intent.createChooser(send, getString(R.string.share_title)))
        }
    }
}
