package io.github.tinygan.edge.app

import android.content.res.AssetManager
import java.io.IOException
import java.io.InputStream

/** The files that are packed into the app. */
interface Assets {
    /** Opens a file. @throws IOException if it is not there. */
    fun open(path: String): InputStream

    /** Returns the names of the files in a folder; none if there is no such folder. */
    fun list(folder: String): Set<String>
}

/** The app's own. */
class PackagedAssets(private val assets: AssetManager) : Assets {
    override fun open(path: String): InputStream = assets.open(path)

    override fun list(folder: String): Set<String> = assets.list(folder).orEmpty().toSet()
}
