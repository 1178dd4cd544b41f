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

/** Copies an exported model into the app's assets: what its manifest names for the runtimes of this app. */
@DisableCachingByDefault(because = "it copies files")
abstract class CopyModel : DefaultTask() {
    /** Folders that may hold the model; the first with a manifest is taken. */
    @get:Internal
    abstract val folders: ListProperty<File>

    /** What the task depends on. */
    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    val sources: List<File>
        get() = chosen()?.listFiles()?.filter { it.isFile }.orEmpty()

    /** The folder of assets. */
    @get:OutputDirectory
    abstract val output: DirectoryProperty

    /** Copies. */
    @TaskAction
    fun copy() {
        val folder = chosen() ?: stop("there is no $MANIFEST in ${folders.get().joinToString(" or ")}")
        copyModel(folder, File(output.get().asFile, ASSET_FOLDER))
    }

    private fun chosen(): File? = folders.get().firstOrNull { File(it, MANIFEST).isFile }
}

/**
 * Copies the manifest, the models for Android and the golden images of their students.
 *
 * @throws GradleException if one is missing, or is not the one of the manifest; nothing is copied then.
 */
fun copyModel(folder: File, target: File) {
    val manifest = try {
        JsonSlurper().parse(File(folder, MANIFEST)) as? Map<*, *>
    } catch (_: JsonException) {
        null
    } ?: stop("${File(folder, MANIFEST)} is damaged")
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
    target.deleteRecursively()
    val models = artifacts.map { File(folder, "${it["file"]}") }
    for (file in models + golden + File(folder, MANIFEST)) file.copyTo(File(target, file.name))
}

private fun sha256(file: File): String =
    MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }

private fun stop(what: String): Nothing = throw GradleException(
    "No model for the app: $what; export one with `python deploy/android/export.py`, " +
        "or name its folder with -Ptinygan.artifacts=DIR"
)

private const val MANIFEST = "manifest.json"
private const val ASSET_FOLDER = "tinygan"
private val RUNTIMES = setOf("executorch xnnpack", "tflite litert")
