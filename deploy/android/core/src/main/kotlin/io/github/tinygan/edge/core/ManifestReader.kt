package io.github.tinygan.edge.core

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

private const val PLATFORM = "android"
private const val LATENT = "z"
private const val CLASS_WEIGHTS = "class_weights"
private const val NUMBERS = "teacher_classes"
private const val MAX_SIZE = 4096L
private val SHA256 = Regex("[0-9a-f]{64}")
private val FILE_NAME = Regex("[A-Za-z0-9][A-Za-z0-9._-]*")

/** Reads and checks a manifest. */
internal fun readManifest(text: String): Manifest {
    val root = Field.read(text, ::ManifestException)
    val format = root["format"].text()
    if (format != Manifest.FORMAT) root["format"].refuse("is $format, not ${Manifest.FORMAT}")
    val sampler = root["sampler"]
    val law = Law.entries.firstOrNull { it.sampler == sampler["name"].text() }
        ?: sampler["name"].refuse("is ${sampler["name"].text()}, not one of ${Law.entries.map { it.sampler }}")
    val truncation = sampler["truncation"].real()
    if (!(truncation > 0.0 && truncation <= 1.0)) sampler["truncation"].refuse("is $truncation, not in (0, 1]")
    if (root["pixels"].text() != Pixels.RULE) root["pixels"].refuse("is ${root["pixels"].text()}, not ${Pixels.RULE}")
    val model = readModel(root["model"], law)
    val golden = root["golden"]["first"]
    val students = golden["files"].members().map { (student, _) -> student }
    val artifacts = root["artifacts"].items()
        .filter { artifact -> artifact["platforms"].items().any { it.text() == PLATFORM } }
        .map { readArtifact(it, model, students) }
    if (artifacts.isEmpty()) root["artifacts"].refuse("names none for $PLATFORM")
    artifacts.groupBy { it.file }.values.firstOrNull { it.size > 1 }?.let {
        root["artifacts"].refuse("has the file ${it[0].file} twice")
    }
    return Manifest(model, truncation, readGolden(golden, model), artifacts)
}

private fun readModel(model: Field, law: Law): Model {
    val numClasses = model["num_classes"].size()
    val classes = sortedMapOf<Int, String>()
    for ((key, name) in model["classes"].members()) {
        val index = key.toIntOrNull()?.takeIf { it in 0 until numClasses }
            ?: model["classes"].refuse("has $key, which is no class of $numClasses")
        classes[index] = name.text()
    }
    if (classes.isEmpty()) model["classes"].refuse("is empty")
    val only = model["class"].orNull()?.integer()?.toInt()
    if (only != null && only !in classes) model["class"].refuse("is $only, which classes does not name")
    val hashes = model["sha256"].members().associate { (student, hash) -> student to hash.text() }
    val numbers = if (model.has(NUMBERS)) readNumbers(model[NUMBERS], classes.keys) else emptyMap()
    return Model(model["image_size"].size(), model["z_dim"].size(), numClasses, classes, only, hashes, law, numbers)
}

private fun readNumbers(field: Field, classes: Set<Int>): Map<Int, Int> {
    val numbers = field.members().associate { (key, number) ->
        val index = key.toIntOrNull()?.takeIf { it in classes } ?: field.refuse("has $key, which classes does not name")
        index to number.index()
    }
    if (classes.distinctBy { numbers[it] ?: it }.size < classes.size) field.refuse("gives two classes one number")
    return numbers
}

private fun readGolden(first: Field, model: Model): Golden {
    val classIndex = first["class"].integer().toInt()
    if (classIndex !in model.drawable) first["class"].refuse("is $classIndex, which the model does not draw")
    val files = first["files"].members().associate { (student, file) -> student to file.fileName() }
    return Golden(first["seed"].seed(), classIndex, files)
}

private fun readArtifact(artifact: Field, model: Model, students: List<String>): Artifact {
    val sha256 = artifact["sha256"].sha256()
    val student = artifact["student"].text()
    if (student !in students) artifact["student"].refuse("is $student, which golden.first.files does not name")
    val inputs = artifact["inputs"].items().map(::readTensor)
    val expected = listOf(LATENT to model.zDim, CLASS_WEIGHTS to model.weightCount)
        .filter { (_, length) -> length > 0 }
        .map { (name, length) -> TensorSpec(name, listOf(1, length), ElementType.FLOAT32) }
    if (inputs != expected) artifact["inputs"].refuse("are ${describe(inputs)}, not ${describe(expected)}")
    val outputs = artifact["outputs"].items().map(::readTensor)
    val output = outputs.singleOrNull() ?: artifact["outputs"].refuse("are ${outputs.size}, not one image")
    val layout = when (output.shape) {
        listOf(1, Image.CHANNELS, model.imageSize, model.imageSize) -> PixelLayout.NCHW
        listOf(1, model.imageSize, model.imageSize, Image.CHANNELS) -> PixelLayout.NHWC
        else -> artifact["outputs"].refuse("are ${describe(outputs)}, no image of ${model.imageSize} pixels")
    }
    return Artifact(
        artifact["file"].fileName(),
        artifact["runtime"].text(),
        artifact["backend"].text(),
        artifact["precision"].text(),
        artifact["bytes"].integer().also { if (it < 1) artifact["bytes"].refuse("is $it, not positive") },
        sha256,
        student,
        inputs,
        output,
        layout
    )
}

private fun readTensor(tensor: Field): TensorSpec {
    val name = tensor["dtype"].text()
    val type = ElementType.entries.firstOrNull { it.label == name }
        ?: tensor["dtype"].refuse("is $name, which no app reads")
    return TensorSpec(tensor["name"].text(), tensor["shape"].items().map { it.size() }, type)
}

private fun describe(tensors: List<TensorSpec>) =
    tensors.joinToString { "${it.name} ${it.type.label} ${it.shape}" }.ifEmpty { "none" }

/** A value and its place in the file, for errors that name it. */
internal class Field private constructor(
    private val json: JsonElement?,
    private val path: String,
    private val error: (String, Throwable?) -> EdgeException
) {
    operator fun get(name: String): Field = Field(fields()[name], if (path.isEmpty()) name else "$path.$name", error)

    fun has(name: String): Boolean = name in fields()

    fun members(): List<Pair<String, Field>> =
        fields().map { (name, json) -> name to Field(json, "$path.$name", error) }

    fun items(): List<Field> = (value() as? JsonArray ?: refuse("is no list")).mapIndexed { index, json ->
        Field(json, "$path[$index]", error)
    }

    /** Returns null for `null`; a field that is not there is refused. */
    fun orNull(): Field? = takeUnless { value() == JsonNull }

    fun text(): String = primitive()?.takeIf { it.isString }?.content ?: refuse("is no string")

    fun integer(): Long = number().toLongOrNull() ?: refuse("is ${number()}, no integer")

    fun seed(): ULong = number().toULongOrNull() ?: refuse("is ${number()}, no integer from 0 to 2^64 - 1")

    fun real(): Double = number().toDoubleOrNull() ?: refuse("is ${number()}, no number")

    /** A length that fits an array. */
    fun size(): Int = integer().takeIf { it in 1..MAX_SIZE }?.toInt() ?: refuse("is ${number()}, not in 1..$MAX_SIZE")

    /** A number that counts from 0. */
    fun index(): Int =
        integer().takeIf { it in 0..Int.MAX_VALUE }?.toInt() ?: refuse("is ${number()}, no number of a class")

    fun sha256(): String = text().also { if (!SHA256.matches(it)) refuse("is no SHA-256") }

    /** A name without folders: it is joined to paths. */
    fun fileName(): String = text().also { if (!FILE_NAME.matches(it)) refuse("is no file name") }

    fun refuse(what: String): Nothing = throw error("${path.ifEmpty { "the file" }} $what", null)

    // The text as it is written: a seed may need all 64 bits, which a double does not have.
    private fun number(): String =
        primitive()?.takeUnless { it.isString || it == JsonNull }?.content ?: refuse("is no number")

    private fun primitive(): JsonPrimitive? = value() as? JsonPrimitive

    private fun fields(): JsonObject = value() as? JsonObject ?: refuse("is no object")

    private fun value(): JsonElement = json ?: refuse("is missing")

    companion object {
        /** Reads a file; [error] makes what is thrown of a sentence without its full stop. */
        fun read(text: String, error: (String, Throwable?) -> EdgeException): Field = try {
            Field(Json.parseToJsonElement(text), "", error)
        } catch (cause: SerializationException) {
            throw error("it is no JSON (${cause.message.orEmpty().substringBefore('\n')})", cause)
        }
    }
}
