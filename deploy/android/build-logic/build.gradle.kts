import org.jetbrains.kotlin.gradle.dsl.KotlinVersion

// Not `kotlin-dsl`: plain Kotlin compiles in the checks that run without Gradle too.
plugins {
    alias(libs.plugins.kotlin.jvm)
    `java-gradle-plugin`
    `maven-publish`
}

group = "io.github.tinygan.edge"
version = libs.versions.versionName.get()

kotlin {
    compilerOptions {
        // Readable by the Kotlin inside the Gradle of an older build that takes the plugin.
        languageVersion = KotlinVersion.KOTLIN_2_2
        apiVersion = KotlinVersion.KOTLIN_2_2
    }
}

dependencies {
    implementation(localGroovy())
    implementation(libs.android.gradle)
    // Above the one that the Android plugin brings: its built-in Kotlin takes the newer of the two.
    implementation(libs.kotlin.gradle)
}

gradlePlugin {
    plugins {
        register("model") {
            id = "tinygan.model"
            implementationClass = "io.github.tinygan.edge.build.ModelPlugin"
        }
        register("library") {
            id = "tinygan.library"
            implementationClass = "io.github.tinygan.edge.build.LibraryPlugin"
        }
        register("published") {
            id = "tinygan.published"
            implementationClass = "io.github.tinygan.edge.build.PublishedPlugin"
        }
    }
}

publishing {
    repositories {
        maven {
            name = "local"
            url = uri("../build/repository")
        }
    }
}
