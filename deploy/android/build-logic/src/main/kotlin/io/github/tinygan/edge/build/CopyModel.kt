package io.github.tinygan.edge.build

import groovy.json.JsonException
import groovy.json.JsonSlurper
import java.io.File
import java.security.MessageDigest
import org.gradle.api.DefaultTask
import org.gradle.api.GradleException
import org.gradle.api.file.DirectoryProperty
import org.gradle.api.provider.ListProperty
import org.gradle.api.tasks.InputFiles
import org.gradle.api.tasks.Internal
import org.gradle.api.tasks.OutputDirectory
import org.gradle.api.tasks.PathSensitive
import org.gradle.api.tasks.PathSensitivity
import org.gradle.api.tasks.TaskAction
import org.gradle.work.DisableCachingByDefault

/** Copies an exported model, or a bundle of several, into the app's assets: what the app's runtimes need of it. */
@DisableCachingByDefault(because = "it copies files")
abstract class CopyModel : DefaultTask() {
    /** Folders that may hold the model; the first with a manifest, or an index of several, is taken. */
    @get:Internal
    abstract val folders: ListProperty<File>

    /** What the task depends on. */
    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    val sources: List<File>
        get() = chosen()?.walk()?.maxDepth(2)?.filter { it.isFile }?.toList().orEmpty()

    /** The folder of assets. */
    @get:OutputDirectory
    abstract val output: DirectoryProperty

    /** Copies. */
    @TaskAction
    fun copy() {
        val folder = chosen() ?: stop("there is no $MANIFEST in ${folders.get().joinToString(" or ")}")
        copyModel(folder, File(output.get().asFile, ASSET_FOLDER))
    }

    private fun chosen(): File? =
        folders.get().firstOrNull { File(it, MANIFEST).isFile || File(it, INDEX).isFile }
}

/**
 * Copies the manifest, the models for Android and the golden images of their students; of a bundle, those of all.
 *
 * @throws GradleException if one is missing, or is not the one of the manifest; nothing is copied then.
 */
fun copyModel(folder: File, target: File) {
    val index = File(folder, INDEX)
    val files = if (index.isFile) {
        val models = (parse(index)["models"] as? List<*>).orEmpty().filterIsInstance<Map<*, *>>()
        listOf(index) + models.flatMap { filesOf(File(folder, "${it["folder"]}")) }
    } else {
        filesOf(folder)
    }
    target.deleteRecursively()
    for (file in files) file.copyTo(File(target, file.relativeTo(folder).path))
}

/** Returns the files of a model that the app needs, each compared with the manifest. */
private fun filesOf(folder: File): List<File> {
    val manifest = parse(File(folder, MANIFEST))
    val first = (manifest["golden"] as? Map<*, *>)?.get("first") as? Map<*, *>
    val images = first?.get("files") as? Map<*, *> ?: stop("the model in $folder has no first golden image")
    val artifacts = (manifest["artifacts"] as? List<*>).orEmpty().filterIsInstance<Map<*, *>>()
        .filter { "${it["runtime"]} ${it["backend"]}" in RUNTIMES && "android" in it["platforms"] as List<*> }
    if (artifacts.isEmpty()) stop("the model in $folder has no file for Android")
    for (artifact in artifacts) {
        val source = File(folder, "${artifact["file"]}")
        if (!source.isFile) stop("$source is missing")
        if (sha256(source) != artifact["sha256"]) stop("$source is not the one of its manifest")
    }
    val golden = artifacts.map { File(folder, "${images[it["student"]]}") }.distinct()
    golden.firstOrNull { !it.isFile }?.let { stop("$it is missing") }
    return artifacts.map { File(folder, "${it["file"]}") } + golden + File(folder, MANIFEST)
}

private fun parse(file: File): Map<*, *> = try {
    JsonSlurper().parse(file) as? Map<*, *>
} catch (_: JsonException) {
    null
} ?: stop("$file is damaged")

private fun sha256(file: File): String =
    MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }

private fun stop(what: String): Nothing = throw GradleException(
    "No model for the app: $what; export one with `python deploy/android/export.py`, " +
        "or name its folder with -Ptinygan.artifacts=DIR"
)

private const val MANIFEST = "manifest.json"
private const val INDEX = "models.json"
private const val ASSET_FOLDER = "tinygan"
private val RUNTIMES = setOf("executorch xnnpack", "tflite litert")
