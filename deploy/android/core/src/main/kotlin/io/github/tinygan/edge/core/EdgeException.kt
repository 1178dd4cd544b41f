package io.github.tinygan.edge.core

import java.util.Locale

/**
 * Everything that can go wrong with a model, each with one English sentence as its message.
 *
 * The properties hold the values of the sentence, so that an app can say it in its user's language.
 */
sealed class EdgeException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** `manifest.json` is missing, damaged, or of another version. [reason] names the field. */
class ManifestException(val reason: String, cause: Throwable? = null) :
    EdgeException("manifest.json cannot be used: $reason; export the model again.", cause)

/** `models.json` is damaged, or its models do not go together. [reason] says what is wrong. */
class BundleException(val reason: String, cause: Throwable? = null) :
    EdgeException("models.json cannot be used: $reason; bundle the models again.", cause)

/** The app does not hold [file]. */
class MissingFileException(val file: String, cause: Throwable? = null) :
    EdgeException("The app holds no $file; copy the exported artifacts into it and build again.", cause)

/** [file] is not the one that the manifest describes: its size or its SHA-256 differs. */
class CorruptFileException(val file: String, val expected: String, val found: String) :
    EdgeException("$file is damaged or of another export: $found instead of $expected.")

/** The model in [file] has other inputs or outputs than the manifest says. */
class ModelMismatchException(val file: String, val reason: String) :
    EdgeException("$file does not fit its manifest: $reason.")

/** The native library of [runtime] is not there for this processor. */
class NativeLibraryException(val runtime: String, val abi: String, cause: Throwable) :
    EdgeException("$runtime has no native library for this processor ($abi).", cause)

/** [runtime] refuses to load [file]. */
class ModelLoadException(val runtime: String, val file: String, val reason: String, cause: Throwable? = null) :
    EdgeException("$runtime cannot load $file: $reason.", cause)

/** [runtime] failed while it drew an image with [file]. */
class InferenceException(val runtime: String, val file: String, val reason: String, cause: Throwable? = null) :
    EdgeException("$runtime failed while drawing with $file: $reason.", cause)

/** There is no class [index] in this model; it knows [known]. */
class UnknownClassException(val index: Int, val known: String) :
    EdgeException("There is no class $index; this model draws $known.")

/** An input of the model has the wrong length or a value that is not finite. */
class InvalidInputException(val reason: String) : EdgeException("This input cannot be drawn: $reason.")

/** A link, or the recipe in a picture, cannot be followed: its [field] is [value]. */
class RecipeException(val field: String, val value: String, cause: Throwable? = null) :
    EdgeException("The $field of this recipe makes no sense: '$value'.", cause)

/** A recipe is of another model: its name is [found], not [expected]. */
class OtherModelException(val found: String, val expected: String) :
    EdgeException("This recipe is of another model ($found, not $expected).")

/** The model's output holds NaN or infinity, [count] times. */
class InvalidOutputException(val file: String, val count: Int) :
    EdgeException("$file gave an image with $count values that are not numbers.")

/** The first golden image comes out [decibels] dB from the stored one, below [floor]. */
class GoldenMismatchException(val file: String, val decibels: Double, val floor: Double) :
    EdgeException(
        "%s draws another image than it should (%.1f dB, at least %.0f are asked for)."
            .format(Locale.ROOT, file, decibels, floor)
    )

/** There is not enough memory to [purpose]. */
class LowMemoryException(val purpose: String, cause: Throwable) :
    EdgeException("There is not enough memory to $purpose; close other apps and try again.", cause)
