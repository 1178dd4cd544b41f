package io.github.tinygan.edge.build

import com.android.build.api.dsl.LibraryExtension
import org.gradle.api.JavaVersion
import org.gradle.api.Plugin
import org.gradle.api.Project
import org.gradle.api.artifacts.VersionCatalog
import org.gradle.api.artifacts.VersionCatalogsExtension
import org.gradle.api.publish.PublishingExtension
import org.gradle.api.publish.maven.MavenPublication

/** `tinygan.library`: what the Android modules of this project share. Kotlin comes with the Android plugin. */
class LibraryPlugin : Plugin<Project> {
    override fun apply(project: Project) {
        project.pluginManager.apply("com.android.library")
        project.pluginManager.apply("tinygan.published")
        val versions = project.extensions.getByType(VersionCatalogsExtension::class.java).named("libs")
        project.extensions.configure(LibraryExtension::class.java) { android ->
            android.namespace = "${project.group}.${project.name}"
            android.compileSdk = versions.number("compileSdk")
            android.defaultConfig.minSdk = versions.number("minSdk")
            // Native code of the runtimes looks classes up by name; R8 of the app must not take them.
            android.defaultConfig.consumerProguardFiles("consumer-rules.pro")
            // Java 8 is what Android 7 has.
            android.compileOptions.sourceCompatibility = JavaVersion.VERSION_1_8
            android.compileOptions.targetCompatibility = JavaVersion.VERSION_1_8
            android.testOptions.unitTests.isIncludeAndroidResources = true
            android.publishing.singleVariant("release") { withSourcesJar() }
        }
        // The component is there when the variants are.
        project.afterEvaluate { publish(it, "release") }
    }

    private fun VersionCatalog.number(name: String) = findVersion(name).get().requiredVersion.toInt()
}

/** `tinygan.published`: the name under which a module is published, and the folder: `build/repository`. */
class PublishedPlugin : Plugin<Project> {
    override fun apply(project: Project) {
        project.pluginManager.apply("maven-publish")
        project.group = "io.github.tinygan.edge"
        val versions = project.extensions.getByType(VersionCatalogsExtension::class.java).named("libs")
        project.version = versions.findVersion("versionName").get().requiredVersion
        project.extensions.configure(PublishingExtension::class.java) { publishing ->
            publishing.repositories.maven { repository ->
                repository.name = "local"
                repository.url = project.rootProject.layout.buildDirectory.dir("repository").get().asFile.toURI()
            }
        }
        project.pluginManager.withPlugin("java-library") { publish(project, "java") }
    }
}

private fun publish(project: Project, component: String) {
    project.extensions.configure(PublishingExtension::class.java) { publishing ->
        publishing.publications.create("maven", MavenPublication::class.java) { publication ->
            publication.from(project.components.getByName(component))
        }
    }
}
