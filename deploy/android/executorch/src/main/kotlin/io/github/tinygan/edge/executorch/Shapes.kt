package io.github.tinygan.edge.executorch

import io.github.tinygan.edge.core.TensorSpec

/** Returns the shape as ExecuTorch takes it. */
internal fun TensorSpec.longShape(): LongArray = LongArray(shape.size) { shape[it].toLong() }
