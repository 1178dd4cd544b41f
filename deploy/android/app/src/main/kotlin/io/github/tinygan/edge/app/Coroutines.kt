package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.LowMemoryException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch

/**
 * Starts work on the main thread; it goes elsewhere by itself.
 *
 * @param failed is told what [work] threw, on the main thread, unless the work was cancelled.
 */
fun CoroutineScope.start(failed: (Exception) -> Unit, work: suspend CoroutineScope.() -> Unit): Job = launch {
    try {
        work()
    } catch (error: CancellationException) {
        throw error
    } catch (error: OutOfMemoryError) {
        failed(LowMemoryException("draw images", error))
    } catch (error: Exception) { // whatever a native library throws must become a sentence, not a crash
        failed(error)
    }
}
