package io.github.tinygan.edge.app

import android.app.Application

/** The app. Whoever wants other models or runtimes below the same screens overrides [createServices]. */
open class EdgeApplication : Application() {
    /** What the screens work with; made at first use, on the main thread. */
    val services: Services by lazy(LazyThreadSafetyMode.NONE, ::createServices)

    /** Makes what the screens work with. */
    protected open fun createServices(): Services = Services(
        this,
        PackagedAssets(assets),
        listOf(ExecutorchRuntime(this), LiteRtRuntime(this), LiteRtGpuRuntime(this))
    )

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        // Nobody sees images now, and a model loads in well under a second.
        if (level >= TRIM_MEMORY_UI_HIDDEN) services.releaseSoon()
    }
}
