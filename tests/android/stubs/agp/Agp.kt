// The part of the Android Gradle Plugin's API that build-logic calls, by its public documentation: the plugin itself is
// in Google's repository only. So build-logic is compiled against the real Gradle and against what is written here.
@file:Suppress("unused", "PackageDirectoryMismatch")

package com.android.build.api.dsl

import org.gradle.api.Action
import org.gradle.api.JavaVersion

interface AndroidResources {
    val noCompress: MutableCollection<String>
}

interface CompileOptions {
    var sourceCompatibility: JavaVersion
    var targetCompatibility: JavaVersion
}

interface UnitTestOptions {
    var isIncludeAndroidResources: Boolean
}

interface TestOptions {
    val unitTests: UnitTestOptions
}

interface CommonExtension {
    var namespace: String?
    var compileSdk: Int?
    val androidResources: AndroidResources
    val compileOptions: CompileOptions
    val testOptions: TestOptions
}

interface LibraryDefaultConfig {
    var minSdk: Int?

    fun consumerProguardFiles(vararg files: Any): Any
}

interface SingleVariant {
    fun withSourcesJar()
}

interface LibraryPublishing {
    fun singleVariant(variantName: String, action: SingleVariant.() -> Unit)
}

interface LibraryExtension : CommonExtension {
    val defaultConfig: LibraryDefaultConfig
    val publishing: LibraryPublishing
}

interface ApplicationExtension : CommonExtension
