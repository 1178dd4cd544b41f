package com.example.tinygan

import android.app.Activity
import android.graphics.Bitmap
import android.os.Bundle
import android.widget.ImageView
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.SuspendingGenerator
import io.github.tinygan.edge.executorch.ExecutorchGenerator
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

class ImageActivity : Activity() {
    private val scope = CoroutineScope(Dispatchers.Main)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val view = ImageView(this)
        setContentView(view)
        scope.launch {
            val manifest = withContext(Dispatchers.IO) { Manifest.read(assets::open) }
            SuspendingGenerator.open(manifest) { ExecutorchGenerator.open(applicationContext, it) }.use { generator ->
                val image = generator.draw(seed = 1u, classIndex = manifest.model.drawable.first())
                val config = Bitmap.Config.ARGB_8888
                view.setImageBitmap(Bitmap.createBitmap(image.argb, image.width, image.height, config))
            }
        }
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }
}
