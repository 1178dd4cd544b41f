package io.github.tinygan.edge.core

import java.io.IOException
import java.io.InputStream

/**
 * What `manifest.json` says about a model and its files for Android: all that an app knows about them.
 *
 * Read it with [Manifest.parse].
 */
data class Manifest(
    val model: Model,
    /** The truncation that the model was trained at, in (0, 1]. */
    val truncation: Double,
    val golden: Golden,
    /** The artifacts that name the platform `android`, in the order of the file. */
    val artifacts: List<Artifact>
) {
    /**
     * Returns the artifact called [file].
     *
     * @throws MissingFileException if the manifest names none.
     */
    fun artifact(file: String): Artifact = artifacts.firstOrNull { it.file == file } ?: throw MissingFileException(file)

    /**
     * Returns the first artifact of a runtime and its backend, the int8 one if there is one.
     *
     * @param runtime [Artifact.EXECUTORCH] or [Artifact.TFLITE].
     * @throws MissingFileException if the manifest names none.
     */
    fun preferred(runtime: String, backend: String): Artifact {
        val own = artifacts.filter { it.runtime == runtime && it.backend == backend }
        return own.firstOrNull { it.precision == "int8" } ?: own.firstOrNull()
            ?: throw MissingFileException("model for $runtime with $backend")
    }

    /** Returns the same of a model whose files lie in a folder: they are named with it. */
    internal fun within(folder: String): Manifest = copy(
        golden = golden.copy(files = golden.files.mapValues { (_, file) -> "$folder/$file" }),
        artifacts = artifacts.map { it.copy(file = "$folder/${it.file}") }
    )

    companion object {
        /** The value of `format` that [parse] reads. */
        const val FORMAT: String = "tinygan-edge-manifest-1"

        /** The manifest's name. */
        const val FILE: String = "manifest.json"

        /** The folder of an app's assets that holds the manifest, the models and the golden images. */
        const val ASSET_FOLDER: String = "tinygan"

        /** Returns the path in an app's assets of a file that the manifest names. */
        fun assetPath(file: String): String = "$ASSET_FOLDER/$file"

        /**
         * Reads the manifest in an app's assets.
         *
         * @param open opens an asset: `context.assets::open`.
         * @throws MissingFileException if the app holds none.
         * @throws ManifestException as [parse] does.
         */
        fun read(open: (String) -> InputStream): Manifest {
            val text = try {
                open(assetPath(FILE)).use { it.readBytes() }.decodeToString()
            } catch (error: IOException) {
                throw MissingFileException(FILE, error)
            }
            return parse(text)
        }

        /**
         * Reads a manifest.
         *
         * @throws ManifestException if it is damaged, of another version, or contradicts itself.
         */
        fun parse(text: String): Manifest = readManifest(text)
    }
}

/** The generator that the artifacts compute. */
data class Model(
    /** Width and height of an image, pixels. */
    val imageSize: Int,
    /** Values of a latent. */
    val zDim: Int,
    /** Values of a class weight vector. */
    val numClasses: Int,
    /** Index → name of the classes that the model was trained on, by rising index. */
    val classes: Map<Int, String>,
    /** The one class of a specialised model, which takes no class weights. */
    val onlyClass: Int?,
    /** Student → SHA-256 of its weights, as the manifest gives them. */
    val sha256: Map<String, String> = emptyMap(),
    /** Of the latents that it was trained on. */
    val law: Law = Law.TRUNCATED_NORMAL,
    /** Index → the teacher's number of a class, where the model counts its classes anew. */
    val teacherClasses: Map<Int, Int> = emptyMap()
) {
    /** The classes that can be drawn: one if the model is specialised. */
    val drawable: List<Int> = onlyClass?.let(::listOf) ?: classes.keys.toList()

    /** Length of the class weights that [ImageGenerator.generate] takes: 0 if the model is specialised. */
    val weightCount: Int get() = if (onlyClass == null) numClasses else 0

    /**
     * Returns the latent of a seed, by the law that the model was trained on.
     *
     * @param truncation its factor, in (0, 1].
     * @throws InvalidInputException if [truncation] is outside its range.
     */
    fun latent(seed: ULong, truncation: Double): FloatArray = law.latent(seed, zDim, truncation)

    /**
     * Returns the name of a class.
     *
     * @throws UnknownClassException if it cannot be drawn.
     */
    fun className(index: Int): String {
        if (index !in drawable) throw UnknownClassException(index, describeClasses())
        return classes.getValue(index)
    }

    /**
     * Returns what a class is called for short: its first synonym, with the index where another one has the same.
     *
     * @throws UnknownClassException if it cannot be drawn.
     */
    fun title(index: Int): String {
        fun short(name: String) = name.substringBefore(',')
        val title = short(className(index))
        return if (drawable.count { short(classes.getValue(it)) == title } > 1) "$title ($index)" else title
    }

    /** Returns the teacher's number of a class, by which the models of a bundle agree. */
    fun numberOf(index: Int): Int = teacherClasses[index] ?: index

    /**
     * Returns the class weights of one class: one-hot, or empty if the model is specialised.
     *
     * @throws UnknownClassException if the class cannot be drawn.
     */
    fun classWeights(index: Int): FloatArray {
        className(index)
        return FloatArray(weightCount) { if (it == index) 1f else 0f }
    }

    private fun describeClasses(): String {
        val (first, last) = drawable.first() to drawable.last()
        val range = if (first == last) "class $first only" else "classes $first to $last"
        return if (last - first + 1 == drawable.size) range else "${drawable.size} of the $range"
    }
}

/** The first golden image: what a model must draw before it is trusted. */
data class Golden(
    val seed: ULong,
    val classIndex: Int,
    /** Student → file of its image: H × W × 3 bytes R, G, B, row by row. */
    val files: Map<String, String>
)

/** A file that computes the model. */
data class Artifact(
    val file: String,
    /** [EXECUTORCH] or [TFLITE]. */
    val runtime: String,
    val backend: String,
    /** `fp32`, `fp16` or `int8`. */
    val precision: String,
    val bytes: Long,
    /** Lower-case hexadecimal. */
    val sha256: String,
    /** The student that it computes: a key of [Golden.files]. */
    val student: String,
    /** `z`, and `class_weights` unless the model is specialised. */
    val inputs: List<TensorSpec>,
    val output: TensorSpec,
    val layout: PixelLayout
) {
    companion object {
        const val EXECUTORCH: String = "executorch"
        const val TFLITE: String = "tflite"
    }
}

/** An input or output of an artifact. */
data class TensorSpec(val name: String, val shape: List<Int>, val type: ElementType) {
    /** Values of the tensor. */
    val size: Int get() = shape.fold(1, Int::times)
}

/** The type of a tensor's values. */
enum class ElementType(
    /** As the manifest writes it. */
    val label: String,
    /** Of one value. */
    val bytes: Int
) {
    FLOAT32("float32", 4),
    UINT8("uint8", 1)
}
