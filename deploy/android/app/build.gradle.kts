import groovy.json.JsonException
import groovy.json.JsonSlurper
import java.security.MessageDigest
import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "io.github.tinygan.edge.app"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "io.github.tinygan.edge"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = libs.versions.versionCode.get().toInt()
        versionName = libs.versions.versionName.get()
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }

    buildTypes {
        release {
            // So that a release build can be installed and measured; put your own key here before you ship one.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    androidResources {
        // LiteRT maps its models inside the APK.
        noCompress += listOf("pte", "tflite", "rgb")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    testOptions {
        unitTests.isIncludeAndroidResources = true
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
        allWarningsAsErrors = true
        extraWarnings = true
        progressiveMode = true
    }
}

dependencies {
    implementation(project(":core"))
    implementation(project(":executorch"))
    implementation(project(":litert"))

    testImplementation(testFixtures(project(":core")))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}

/** Copies an exported model into the app's assets: what its manifest names for the runtimes of this app. */
abstract class CopyModel : DefaultTask() {
    /** Folders that may hold the model; the first with a manifest is taken. */
    @get:Internal
    abstract val folders: ListProperty<File>

    @get:InputFiles
    @get:PathSensitive(PathSensitivity.RELATIVE)
    val sources: List<File>
        get() = chosen()?.listFiles()?.filter { it.isFile }.orEmpty()

    @get:OutputDirectory
    abstract val output: DirectoryProperty

    @TaskAction
    fun copy() {
        val folder = chosen() ?: stop("there is no manifest.json in ${folders.get().joinToString(" or ")}")
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
        val target = output.get().dir(ASSET_FOLDER).asFile
        target.deleteRecursively()
        for (artifact in artifacts) {
            val source = File(folder, "${artifact["file"]}")
            if (!source.isFile) stop("$source is missing")
            if (sha256(source) != artifact["sha256"]) stop("$source is not the one of its manifest")
            source.copyTo(File(target, source.name))
        }
        for (student in artifacts.map { it["student"] }.distinct()) {
            val image = File(folder, "${images[student]}")
            if (!image.isFile) stop("$image is missing")
            image.copyTo(File(target, image.name))
        }
        File(folder, MANIFEST).copyTo(File(target, MANIFEST))
    }

    private fun chosen(): File? = folders.get().firstOrNull { File(it, MANIFEST).isFile }

    private fun sha256(file: File): String =
        MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }

    private fun stop(what: String): Nothing = throw GradleException(
        "No model for the app: $what; export one with `python deploy/android/export.py`, " +
            "or name its folder with -Ptinygan.artifacts=DIR",
    )

    private companion object {
        const val MANIFEST = "manifest.json"
        const val ASSET_FOLDER = "tinygan"
        val RUNTIMES = setOf("executorch xnnpack", "tflite litert")
    }
}

val copyModel = tasks.register<CopyModel>("copyModel") {
    val named = providers.gradleProperty("tinygan.artifacts").orNull
    val usual = listOf("digits", "animals64", "embedded").map { "../../runs/$it/artifacts" }
    folders = (named?.let(::listOf) ?: usual).map { rootProject.file(it) }
}

androidComponents {
    onVariants { variant ->
        variant.sources.assets?.addGeneratedSourceDirectory(copyModel, CopyModel::output)
    }
}
