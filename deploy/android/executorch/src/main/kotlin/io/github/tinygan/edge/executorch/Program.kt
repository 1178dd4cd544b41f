package io.github.tinygan.edge.executorch

import java.io.Closeable
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module

/**
 * What the adapter needs of an ExecuTorch program that is loaded.
 *
 * From ExecuTorch 1.4 on a program throws when it is closed while it runs; 1.0 only logs that. So one lock of the
 * adapter holds both.
 */
interface Program : Closeable {
    /** Runs the method `forward`. */
    fun forward(inputs: Array<EValue>): Array<EValue>
}

/** Loads programs. */
fun interface ProgramLoader {
    /**
     * Loads a program and its method `forward`.
     *
     * @param path of the `.pte` file.
     * @param threads how many XNNPACK computes with.
     * @throws LinkageError if there is no native library for this processor.
     * @throws RuntimeException if the program is refused.
     */
    fun load(path: String, threads: Int): Program
}

/**
 * Loads programs with ExecuTorch itself, mapping the file.
 *
 * All programs that are open at once must have the same number of threads; another number is refused, because it would
 * free the thread pool of those that are open. A [Module] that is loaded without this object is not seen here: give it
 * the same number too, or none of these may be open.
 */
object NativePrograms : ProgramLoader {
    private val shared = SharedThreads()

    override fun load(path: String, threads: Int): Program = shared.load(threads) { loadNative(path, threads) }

    private fun loadNative(path: String, threads: Int): Program {
        val module = Module.load(path, Module.LOAD_MODE_MMAP, threads)
        try {
            checkLoaded(module.loadMethod(METHOD))
        } catch (error: RuntimeException) {
            try {
                module.destroy()
            } catch (second: RuntimeException) {
                error.addSuppressed(second)
            }
            throw error
        }
        return NativeProgram(module)
    }

    // The method returns an error code in ExecuTorch 1.0; newer versions throw and return nothing.
    private fun checkLoaded(result: Any?) {
        check(result !is Int || result == 0) { "the method $METHOD gives error $result" }
    }

    private const val METHOD = "forward"
}

private class NativeProgram(private val module: Module) : Program {
    override fun forward(inputs: Array<EValue>): Array<EValue> = module.forward(*inputs)

    override fun close() = module.destroy()
}
