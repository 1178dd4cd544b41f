@file:Suppress("unused", "PackageDirectoryMismatch")

package com.android.build.api.variant

import org.gradle.api.Task
import org.gradle.api.file.DirectoryProperty
import org.gradle.api.tasks.TaskProvider

interface SourceDirectories {
    fun <T : Task> addGeneratedSourceDirectory(task: TaskProvider<T>, wiredWith: (T) -> DirectoryProperty)
}

interface Sources {
    val assets: SourceDirectories?
}

interface ApplicationVariant {
    val sources: Sources
}

interface VariantSelector

interface VariantSelectorStart : VariantSelector {
    fun all(): VariantSelector
}

interface ApplicationAndroidComponentsExtension {
    fun selector(): VariantSelectorStart

    fun onVariants(selector: VariantSelector, callback: (ApplicationVariant) -> Unit)
}
