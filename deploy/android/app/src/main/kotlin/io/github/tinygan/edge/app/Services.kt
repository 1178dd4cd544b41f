package io.github.tinygan.edge.app

import android.content.Context
import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.android.asCoroutineDispatcher
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.withContext

/**
 * What the screens share.
 *
 * @param assets of the app.
 * @param runtimes that this build can draw with, the preferred one first.
 * @param processor of the phone.
 */
class Services(
    context: Context,
    assets: Assets,
    runtimes: List<ModelRuntime>,
    val processor: Processor = Device.processor()
) {
    private val main = Handler(Looper.getMainLooper()).asCoroutineDispatcher("main")

    /** The one thread on which models are loaded and run. */
    val inference: CoroutineDispatcher =
        Executors.newSingleThreadExecutor { Thread(it, "inference") }.asCoroutineDispatcher()
    val ownModel: OwnModel = OwnModel(context)
    val store: ModelStore = ModelStore(assets, ownModel, runtimes, VerifiedModels(context), CrashGuard(context))
    val studio: Studio = Studio(store)
    val thumbnails: Thumbnails = Thumbnails(this)
    val favourites: Favourites = Favourites(context)
    private val background = scope()

    /** Returns a scope on the main thread; whoever asks cancels it. */
    fun scope(): CoroutineScope = CoroutineScope(SupervisorJob() + main)

    /** Frees the model after the work that was started before. */
    fun releaseSoon() {
        background.start(failed = {}) { withContext(inference) { studio.release() } }
    }
}
