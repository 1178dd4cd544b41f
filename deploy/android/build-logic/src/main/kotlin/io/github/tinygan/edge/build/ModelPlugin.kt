package io.github.tinygan.edge.build

import com.android.build.api.dsl.ApplicationExtension
import com.android.build.api.variant.ApplicationAndroidComponentsExtension
import java.io.File
import org.gradle.api.Plugin
import org.gradle.api.Project
import org.gradle.api.provider.ListProperty

/** The block `tinygan { … }` of an app's build script. */
interface ModelExtension {
    /** Folders that may hold an exported model; the first with a `manifest.json` is taken. */
    val artifacts: ListProperty<File>
}

/**
 * `tinygan.model`: puts an exported model into an app's assets, compared with its manifest, and keeps it uncompressed.
 *
 * It belongs to a module with `com.android.application`. The property `tinygan.artifacts` on Gradle's command line
 * names another folder than the block does.
 */
class ModelPlugin : Plugin<Project> {
    override fun apply(project: Project) {
        val extension = project.extensions.create("tinygan", ModelExtension::class.java)
        val copyModel = project.tasks.register("copyModel", CopyModel::class.java) { task ->
            val named = project.providers.gradleProperty("tinygan.artifacts")
                .map { listOf(project.rootProject.file(it)) }
            task.folders.set(named.orElse(extension.artifacts))
        }
        project.pluginManager.withPlugin("com.android.application") {
            project.extensions.configure(ApplicationExtension::class.java) { android ->
                // LiteRT maps its models inside the APK.
                android.androidResources.noCompress.addAll(listOf("pte", "tflite", "rgb"))
            }
            project.extensions.configure(ApplicationAndroidComponentsExtension::class.java) { components ->
                components.onVariants(components.selector().all()) { variant ->
                    variant.sources.assets?.addGeneratedSourceDirectory(copyModel, CopyModel::output)
                }
            }
        }
    }
}
