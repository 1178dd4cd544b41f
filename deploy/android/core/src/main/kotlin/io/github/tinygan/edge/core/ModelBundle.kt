package io.github.tinygan.edge.core

import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer

/**
 * The models of an app: one, or several that `models.json` lists, each with its manifest in a folder of its own.
 *
 * Read it with [read]. The groups draw different classes; a class is known by the teacher's number, which all agree on.
 */
data class ModelBundle(
    /** In the order of the index. */
    val groups: List<ModelGroup>
) {
    /** The classes of all groups, by rising number. */
    val classes: List<BundledClass> = groups.flatMapIndexed { place, group ->
        group.model.drawable.map { BundledClass(group.model.numberOf(it), group.model.className(it), place, it) }
    }.sortedBy { it.number }

    /** Returns the place of the group that has a model of this name in recipes, or null. */
    fun groupOf(id: String): Int? =
        groups.indices.firstOrNull { place -> groups[place].models.any { it.manifest.model.id == id } }

    companion object {
        /** The value of `format` in the index that [read] reads. */
        const val FORMAT: String = "tinygan-edge-models-1"

        /** The name of the index. */
        const val FILE: String = "models.json"

        /**
         * Reads all manifests in an app's assets: those that the index lists, or the one that is there without it.
         *
         * @param open opens an asset: `context.assets::open`.
         * @throws BundleException if the index is damaged, or its models do not go together.
         * @throws MissingFileException if the app holds none of them.
         * @throws ManifestException as [Manifest.parse] does.
         */
        fun read(open: (String) -> InputStream): ModelBundle {
            val index = try {
                open(Manifest.assetPath(FILE)).use { it.readBytes() }.decodeToString()
            } catch (_: IOException) {
                return ModelBundle(listOf(ModelGroup(listOf(NamedModel("", Manifest.read(open))))))
            }
            val models = readIndex(index).map { (folder, sha256) -> readModel(folder, sha256, open) }
            for ((place, one) in models.withIndex()) for (other in models.drop(place + 1)) check(one, other)
            return ModelBundle(models.groupBy { it.numbers.keys }.values.map(::ModelGroup))
        }
    }
}

/** Models of the same classes and latents: students of several sizes. */
data class ModelGroup(
    /** The preferred one first. */
    val models: List<NamedModel>
) {
    /** The preferred model; the others draw the same classes under the same indices. */
    val model: Model get() = models.first().manifest.model
}

/** A model of a bundle. */
data class NamedModel(
    /** Of its folder, such as `S`; empty if it is the only one, without an index. */
    val name: String,
    /** It names its files with their folder. */
    val manifest: Manifest
) {
    /** The teacher's numbers of the classes that it draws → their names. */
    internal val numbers: Map<Int, String>
        get() = manifest.model.run { drawable.associate { numberOf(it) to className(it) } }
}

/** A class, and where it is drawn. */
data class BundledClass(
    /** The teacher's. */
    val number: Int,
    val name: String,
    /** The place of its group in [ModelBundle.groups]. */
    val group: Int,
    /** Its index in the models of the group. */
    val index: Int
)

/** Returns those whose name holds every word of [query], or whose number begins with it; all for a blank one. */
fun List<BundledClass>.like(query: String): List<BundledClass> {
    val wanted = query.trim()
    val words = wanted.split(Regex("\\s+"))
    return filter { item ->
        item.number.toString().startsWith(wanted) || words.all { item.name.contains(it, ignoreCase = true) }
    }
}

private fun readIndex(text: String): List<Pair<String, String>> {
    val root = Field.read(text, ::BundleException)
    val format = root["format"].text()
    if (format != ModelBundle.FORMAT) root["format"].refuse("is $format, not ${ModelBundle.FORMAT}")
    val models = root["models"].items().map { it["folder"].fileName() to it["sha256"].sha256() }
    if (models.isEmpty()) root["models"].refuse("are none")
    models.groupBy { it.first }.values.firstOrNull { it.size > 1 }?.let {
        root["models"].refuse("have the folder ${it[0].first} twice")
    }
    return models
}

private fun readModel(folder: String, sha256: String, open: (String) -> InputStream): NamedModel {
    val file = "$folder/${Manifest.FILE}"
    val content = try {
        open(Manifest.assetPath(file)).use { it.readBytes() }
    } catch (error: IOException) {
        throw MissingFileException(file, error)
    }
    if (Sha256.of(ByteBuffer.wrap(content)) != sha256) throw BundleException("$file is not the one that it lists")
    return NamedModel(folder, Manifest.parse(content.decodeToString()).within(folder))
}

private fun check(one: NamedModel, other: NamedModel) {
    val pair = "${one.name} and ${other.name}"
    val models = listOf(one, other).map { it.manifest.model }
    if (models[0].imageSize != models[1].imageSize) throw BundleException("image_size of $pair differs")
    if (models[0].id == models[1].id) throw BundleException("$pair are the same student")
    val shared = one.numbers.keys.intersect(other.numbers.keys).sorted()
    shared.firstOrNull { one.numbers[it] != other.numbers[it] }?.let {
        throw BundleException("class $it is called otherwise in ${one.name} than in ${other.name}")
    }
    if (shared.isEmpty()) return
    if (one.numbers.keys != other.numbers.keys) {
        throw BundleException("class ${shared.first()} is in $pair, whose other classes differ")
    }
    val (field, _) = ALTERNATIVES.firstOrNull { (_, of) -> of(one.manifest) != of(other.manifest) } ?: return
    throw BundleException("$field of $pair differs, which draw the same classes")
}

/** What models of the same classes have to have in common: a seed and a class mean the same to all of them. */
private val ALTERNATIVES = listOf<Pair<String, (Manifest) -> Any?>>(
    "z_dim" to { it.model.zDim },
    "num_classes" to { it.model.numClasses },
    "classes" to { it.model.classes },
    "class" to { it.model.onlyClass },
    "sampler.name" to { it.model.law },
    "sampler.truncation" to { it.truncation }
)
