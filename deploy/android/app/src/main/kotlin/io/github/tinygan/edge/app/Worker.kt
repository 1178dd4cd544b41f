package io.github.tinygan.edge.app

import io.github.tinygan.edge.core.LowMemoryException
import java.util.concurrent.Executor
import java.util.concurrent.ExecutorService

/**
 * Does work one after another on one background thread.
 *
 * @param main runs what is reported; it must be the main thread's.
 */
class Worker(private val executor: ExecutorService, private val main: Executor) {
    /**
     * Starts work behind what was started before. Call it, and [Task.cancel], on the main thread.
     *
     * @param work runs on the worker and reports through its [Task].
     * @param failed is called on the main thread with what [work] threw, unless the task was cancelled.
     */
    fun start(work: (Task) -> Unit, failed: (Exception) -> Unit): Task {
        val task = Task(main)
        executor.execute { if (!task.isCancelled) run(task, work, failed) }
        return task
    }

    private fun run(task: Task, work: (Task) -> Unit, failed: (Exception) -> Unit) {
        val error = try {
            work(task)
            return
        } catch (error: OutOfMemoryError) {
            LowMemoryException("draw images", error)
        } catch (error: Exception) { // whatever a native library throws must become a sentence, not a crash
            error
        }
        task.report { failed(error) }
    }
}

/** Work that was started. */
class Task internal constructor(private val main: Executor) {
    /** Whether nobody wants the results any more; long work looks at it between two images. */
    @Volatile
    var isCancelled: Boolean = false
        private set

    /** Drops what was not reported yet. On the main thread nothing is reported after this call. */
    fun cancel() {
        isCancelled = true
    }

    /** Runs [action] on the main thread, unless the task is cancelled by then. */
    fun report(action: () -> Unit) {
        main.execute { if (!isCancelled) action() }
    }
}
