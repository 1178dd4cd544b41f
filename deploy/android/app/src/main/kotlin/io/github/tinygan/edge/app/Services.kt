package io.github.tinygan.edge.app

import android.content.Context
import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

/**
 * What the screens share.
 *
 * @param runtimes that this build can draw with, the preferred one first.
 * @param processor of the phone.
 */
class Services(
    context: Context,
    assets: Assets,
    runtimes: List<ModelRuntime>,
    val processor: Processor = Device.processor(),
) {
    /** The one thread on which models are loaded and run. */
    val worker: Worker = Worker(
        Executors.newSingleThreadExecutor { Thread(it, "inference") },
        Handler(Looper.getMainLooper())::post,
    )
    val store: ModelStore = ModelStore(assets, runtimes, VerifiedModels(context))
    val studio: Studio = Studio(store, worker)
}
