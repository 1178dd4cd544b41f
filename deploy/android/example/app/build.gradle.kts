plugins {
    id("com.android.application")
    id("tinygan.model")
}

android {
    namespace = "com.example.tinygan"
    compileSdk = 36

    defaultConfig {
        applicationId = "com.example.tinygan"
        minSdk = 24
        targetSdk = 36
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }
}

tinygan {
    artifacts = listOf(rootProject.file("../../../runs/embedded/artifacts"))
}

dependencies {
    implementation("io.github.tinygan.edge:executorch")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2") // for Dispatchers.Main
}
