plugins {
    id("com.android.application")
    id("tinygan.model")
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
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            // So that a release build can be installed and measured; put your own key here before you ship one.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    testOptions {
        unitTests.isIncludeAndroidResources = true
    }
}

tinygan {
    artifacts = listOf("animals64", "digits", "embedded").map { rootProject.file("../../runs/$it/artifacts") }
}

dependencies {
    implementation(project(":core"))
    implementation(project(":executorch"))
    implementation(project(":litert"))
    implementation(libs.kotlinx.coroutines.android)
    implementation(libs.zxing)

    testImplementation(testFixtures(project(":core")))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}
