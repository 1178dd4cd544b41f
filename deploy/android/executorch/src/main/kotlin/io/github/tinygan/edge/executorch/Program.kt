package io.github.tinygan.edge.executorch

import java.io.Closeable
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module

/** What the adapter needs of an ExecuTorch program that is loaded. */
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

/** Loads programs with ExecuTorch itself, mapping the file. */
object NativePrograms : ProgramLoader {
    override fun load(path: String, threads: Int): Program {
        val module = Module.load(path, Module.LOAD_MODE_MMAP, threads)
        try {
            checkLoaded(module.loadMethod(METHOD))
        } catch (error: RuntimeException) {
            module.destroy()
            throw error
        }
        return NativeProgram(module)
    }

    // The method returns an error code in ExecuTorch 1.0; newer versions throw and return nothing.
    private fun checkLoaded(result: Any?) {
        if (result is Int && result != 0) throw IllegalStateException("the method $METHOD gives error $result")
    }

    private const val METHOD = "forward"
}

private class NativeProgram(private val module: Module) : Program {
    override fun forward(inputs: Array<EValue>): Array<EValue> = module.forward(*inputs)

    override fun close() = module.destroy()
}
