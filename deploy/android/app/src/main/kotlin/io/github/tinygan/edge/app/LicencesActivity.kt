package io.github.tinygan.edge.app

import android.app.Activity
import android.os.Bundle
import android.widget.TextView

/** The libraries in the app, whose they are, and their licences word for word. */
class LicencesActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.activity_licences)
        SystemBars.pad(view(R.id.root))
        setActionBar(view(R.id.toolbar))
        actionBar?.setDisplayHomeAsUpEnabled(true)
        view<TextView>(R.id.licences_text).text = TEXTS.joinToString("\n\n") {
            resources.openRawResource(it).use { stream -> stream.readBytes().decodeToString() }
        }
    }

    private companion object {
        val TEXTS = listOf(R.raw.licences, R.raw.apache_2_0, R.raw.bsd_3)
    }
}
