plugins {
    id("tinygan.library")
}

dependencies {
    api(project(":core"))
    implementation(libs.executorch.android)

    testImplementation(testFixtures(project(":core")))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}
