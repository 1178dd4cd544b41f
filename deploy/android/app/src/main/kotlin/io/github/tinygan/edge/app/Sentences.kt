package io.github.tinygan.edge.app

import android.content.ActivityNotFoundException
import android.content.Context
import io.github.tinygan.edge.core.BundleException
import io.github.tinygan.edge.core.CorruptFileException
import io.github.tinygan.edge.core.EdgeException
import io.github.tinygan.edge.core.GoldenMismatchException
import io.github.tinygan.edge.core.InferenceException
import io.github.tinygan.edge.core.InvalidInputException
import io.github.tinygan.edge.core.InvalidOutputException
import io.github.tinygan.edge.core.LowMemoryException
import io.github.tinygan.edge.core.ManifestException
import io.github.tinygan.edge.core.MissingFileException
import io.github.tinygan.edge.core.ModelLoadException
import io.github.tinygan.edge.core.ModelMismatchException
import io.github.tinygan.edge.core.NativeLibraryException
import io.github.tinygan.edge.core.OtherModelException
import io.github.tinygan.edge.core.RecipeException
import io.github.tinygan.edge.core.UnknownClassException
import java.io.IOException

/** Returns one sentence in the user's language that says what went wrong. */
fun Context.sentence(error: Exception): String = when (error) {
    is EdgeException -> sentence(error)
    is WithheldException -> getString(R.string.error_withheld, error.runtime, error.file)
    is ActivityNotFoundException -> getString(R.string.error_no_app)
    is IOException -> getString(R.string.error_storage, error.message.orEmpty())
    else -> getString(R.string.error_unexpected, error.message ?: error.javaClass.simpleName)
}

private fun Context.sentence(error: EdgeException): String = when (error) {
    is ManifestException -> getString(R.string.error_manifest, error.reason)

    is BundleException -> getString(R.string.error_bundle, error.reason)

    is MissingFileException -> getString(R.string.error_missing, error.file)

    is CorruptFileException -> getString(R.string.error_corrupt, error.file, error.found, error.expected)

    is ModelMismatchException -> getString(R.string.error_mismatch, error.file, error.reason)

    is NativeLibraryException -> getString(R.string.error_native_library, error.runtime, error.abi)

    is ModelLoadException -> getString(R.string.error_load, error.runtime, error.file, error.reason)

    is InferenceException -> getString(R.string.error_inference, error.runtime, error.file, error.reason)

    is UnknownClassException -> getString(R.string.error_class, error.index, error.known)

    is InvalidInputException -> getString(R.string.error_input, error.reason)

    is InvalidOutputException ->
        resources.getQuantityString(R.plurals.error_output, error.count, error.file, error.count)

    is GoldenMismatchException -> getString(R.string.error_golden, error.file, error.decibels, error.floor)

    is RecipeException -> getString(R.string.error_recipe, error.field, error.value)

    is OtherModelException -> getString(R.string.error_other_model, error.found, error.expected)

    is LowMemoryException -> getString(R.string.error_memory)
}
