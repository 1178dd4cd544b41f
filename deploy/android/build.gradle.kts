// Applied by the modules; named here so that every one of them has them from one class loader.
plugins {
    id("tinygan.library") apply false
    id("tinygan.model") apply false
    alias(libs.plugins.kotlin.jvm) apply false
}
