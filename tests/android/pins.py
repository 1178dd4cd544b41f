"""Everything that the check downloads; versions that the Gradle build names come from its catalog."""

import dataclasses

from tests.android.catalog import CATALOG, read_catalog

_VERSIONS = read_catalog(CATALOG)["versions"]
KOTLIN, ROBOLECTRIC, JUNIT = (_VERSIONS[name] for name in ("kotlin", "robolectric", "junit"))
MIN_SDK, TARGET_SDK, VERSION_CODE = (int(_VERSIONS[name]) for name in ("minSdk", "targetSdk", "versionCode"))
VERSION_NAME = _VERSIONS["versionName"]
TENSORFLOW_LITE = "2.16.1"
ABIS = ("arm64-v8a", "x86_64")


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """An artifact of a Maven repository."""

    group: str
    name: str
    version: str
    type: str = "jar"
    transitive: bool = True
    """Fetch what it depends on too."""
    classifier: str = ""

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}"


_TARGET_ANDROID, _MIN_ANDROID = "16-robolectric-13921718", "7.0.0_r1-robolectric-r1"
_BEFORE_ANDROID = "15-robolectric-13954326"
_INSTRUMENTED = ("org.robolectric", "android-all-instrumented")
JAVA_OF_TARGET = 21
"""The classes of Android 16 are compiled for this Java; with an older one the tests run on BEFORE_SDK."""
BEFORE_SDK = 35
# One class path for each purpose. The real framework classes serve the compilers, aapt2, d8 and the tests alike.
CLASS_PATHS: dict[str, tuple[Coordinate, ...]] = {
    "framework": (Coordinate("org.robolectric", "android-all", _TARGET_ANDROID),),
    # What the tests run on; i7 belongs to this version of Robolectric. Without them it changes every class when
    # it is loaded.
    "tested-target": (Coordinate(*_INSTRUMENTED, f"{_TARGET_ANDROID}-i7", transitive=False),),
    "tested-before": (Coordinate(*_INSTRUMENTED, f"{_BEFORE_ANDROID}-i7", transitive=False),),
    "tested-min": (Coordinate(*_INSTRUMENTED, f"{_MIN_ANDROID}-i7", transitive=False),),
    "kotlin": (Coordinate("org.jetbrains.kotlin", "kotlin-stdlib", KOTLIN),),
    # What the modules and the app take besides.
    "coroutines": (Coordinate("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm", _VERSIONS["coroutines"]),),
    "main-thread": (Coordinate("org.jetbrains.kotlinx", "kotlinx-coroutines-android", _VERSIONS["coroutines"]),),
    "json": (Coordinate("org.jetbrains.kotlinx", "kotlinx-serialization-json-jvm", _VERSIONS["serialization"]),),
    "codes": (Coordinate("com.google.zxing", "core", _VERSIONS["zxing"], transitive=False),),
    # The newest that is outside of Gradle's own repositories; the wrapper takes a later one.
    "gradle": (
        Coordinate("dev.gradleplugins", "gradle-api", "8.11.1"),
        Coordinate("org.codehaus.groovy", "groovy-json", "3.0.22"),
    ),
    "compiler": (Coordinate("org.jetbrains.kotlin", "kotlin-compiler-embeddable", KOTLIN),),
    "executorch": (
        Coordinate("com.facebook.fbjni", "fbjni", "0.7.0", "aar", transitive=False),
        Coordinate("com.facebook.soloader", "nativeloader", "0.12.1", transitive=False),
    ),
    # Their pom names a jar that does not exist.
    "litert": (
        Coordinate("org.tensorflow", "tensorflow-lite", TENSORFLOW_LITE, "aar", transitive=False),
        Coordinate("org.tensorflow", "tensorflow-lite-api", TENSORFLOW_LITE, "aar", transitive=False),
    ),
    "unit-tests": (Coordinate("junit", "junit", JUNIT),),
    "screen-tests": (
        Coordinate("org.robolectric", "robolectric", ROBOLECTRIC),
        Coordinate("junit", "junit", JUNIT),
    ),
    "ktlint": (Coordinate("com.pinterest.ktlint", "ktlint-cli", "1.8.0", transitive=False, classifier="all"),),
    "detekt": (
        Coordinate("io.gitlab.arturbosch.detekt", "detekt-cli", "1.23.8", transitive=False, classifier="all"),
    ),
    "dex": (Coordinate("com.android.tools", "r8", "9.2.39", transitive=False),),
    # Its jar holds aapt2 for Linux; Debian's is too old for the resources of Android 16.
    "aapt2": (Coordinate("org.apktool", "apktool-lib", "3.0.3", transitive=False),),
    "api-level": (Coordinate("org.codehaus.mojo", "animal-sniffer", "1.24"),),
    "api-signature": (
        Coordinate("com.toasttab.android", f"gummy-bears-api-{MIN_SDK}", "0.5.1", "signature", transitive=False),
    ),
    # The last version outside Google's repository; it knows the APK Signature Scheme v2, which API 24 verifies.
    "signing": (Coordinate("com.android.tools.build", "apksig", "2.3.0"),),
}


SHIPPED = ("executorch", "litert", "kotlin", "coroutines", "main-thread", "json", "codes")
"""Purposes whose classes become part of the app."""
SHIPPED_BY_EXAMPLE = ("executorch", "kotlin", "coroutines", "main-thread", "json")
"""The same of the app that embeds a module."""


@dataclasses.dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry."""

    name: str
    version: str
    sha512: str
    """In base64, as npm states it."""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


# ExecuTorch 1.0's own Java classes and libraries for Android. The Gradle build takes
# org.pytorch:executorch-android, which not every mirror of Maven Central has.
EXECUTORCH = NpmPackage(
    "react-native-executorch",
    "0.6.0",
    "FRAvd9nwYZXQ/2joIPY/JktFvdb25ZSJEmm4YT00o+2nFyFKxi7/Dv3rFmhNC7/aS3ioNJZQE+5GZWfnw1oAzg==",
)
EXECUTORCH_CLASSES = "package/android/libs/classes.jar"
EXECUTORCH_LIBRARY = "package/third-party/android/libs/executorch/{abi}/libexecutorch.so"
NATIVE_LIBRARIES = {
    "xnnpack": ("libexecutorch.so", "libfbjni.so", "libc++_shared.so"),
    "litert": ("libtensorflowlite_jni.so",),
}
"""Backend, as in the manifest → what it needs in the APK."""
