// The part of LiteRT 2.2's Kotlin API that the adapter calls, by its sources: the library is in Google's repository only.
// It stands in when the code is compiled and shrunk; nothing here runs.
@file:Suppress("unused", "UNUSED_PARAMETER", "PackageDirectoryMismatch")

package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(val code: Int, message: String) : Exception(message)

data class TensorType(val elementType: ElementType, val layout: Layout? = null) {
    enum class ElementType { INT, FLOAT, INT8, BOOLEAN, INT64 }

    data class Layout(val dimensions: List<Int>, val strides: List<Int> = listOf())
}

abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close() = Unit
}

class TensorBuffer internal constructor() : JniHandle() {
    external fun writeFloat(data: FloatArray)

    external fun readFloat(): FloatArray
}

class CompiledModel private constructor() : JniHandle() {
    class Options(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))
    }

    external fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer

    external fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer

    external fun getInputTensorType(inputName: String, signature: String = ""): TensorType

    external fun getOutputTensorType(outputName: String, signature: String = ""): TensorType

    external fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String = "",
    )

    companion object {
        @JvmStatic
        external fun create(assetManager: AssetManager, assetName: String, options: Options): CompiledModel

        @JvmStatic
        external fun create(filePath: String, options: Options): CompiledModel
    }
}
