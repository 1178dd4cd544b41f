"""Compile and link the app's resources, manifest and assets with aapt2, and generate the classes of R."""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

from tests.android import pins
from tests.android.libraries import Libraries
from tests.android.tools import begin, digest, finish, is_made, run_tool
from train.errors import UserError

APPLICATION = "io.github.tinygan.edge"
NAMESPACE = f"{APPLICATION}.app"
UNCOMPRESSED = ("pte", "tflite", "rgb")
"""Extensions of assets that the app maps into memory."""
_ANDROID = "http://schemas.android.com/apk/res/android"


@dataclasses.dataclass(frozen=True)
class Resources:
    """What aapt2 made."""

    apk: Path
    """Resources, assets and binary manifest; no code."""
    manifest: Path
    """The manifest as text, for Robolectric."""
    classes: Path
    """Folder with R."""
    rules: Path
    """For R8: what the manifest and the layouts name."""


def link(
    main: Path, assets: Path, libraries: Libraries, folder: Path, *, namespace: str, application: str
) -> Resources:
    """Compile and link.

    Args:
        main: the folder src/main of an app.
        assets: the folder of the model and its manifest, as the app's assets hold it.
        libraries: aapt2 and the framework.
        folder: gets the results.
        namespace: of R.
        application: the app's id.

    Raises:
        ToolError: a string, layout or drawable is missing or wrong.
    """
    made = Resources(
        folder / "linked.apk", folder / "AndroidManifest.xml", folder / "classes", folder / "named.pro"
    )
    manifest = complete_manifest(main / "AndroidManifest.xml", namespace, application)
    key = digest(str(libraries.aapt2), str(libraries.framework), main / "res", manifest, assets, "with rules")
    if is_made(folder, key):
        return made
    begin(folder)
    made.manifest.write_text(manifest, "utf-8")
    aapt2, compiled, generated = libraries.aapt2, folder / "compiled.zip", folder / "generated"
    run_tool([aapt2, "compile", "--dir", main / "res", "-o", compiled], "aapt2 cannot compile the resources")
    stored = [word for extension in UNCOMPRESSED for word in ("-0", extension)]
    run_tool(
        [
            *(aapt2, "link", "-I", libraries.framework, "--manifest", made.manifest, "--auto-add-overlay"),
            *("--rename-manifest-package", application, "--java", generated, "-A", assets, *stored),
            *("--proguard", made.rules, "-o", made.apk, compiled),
        ],
        "aapt2 cannot link the resources",
    )
    sources = sorted(generated.rglob("*.java"))
    run_tool(["javac", "--release", "8", "-Xlint:-options", "-d", made.classes, *sources], "R does not compile")
    finish(folder, key)
    return made


def complete_manifest(path: Path, namespace: str = NAMESPACE, application: str = APPLICATION) -> str:
    """Return the app's manifest with what the Gradle plugin would add: package, versions and application id."""
    text = path.read_text("utf-8").replace("${applicationId}", application)
    ElementTree.register_namespace("android", _ANDROID)
    ElementTree.register_namespace("tools", "http://schemas.android.com/tools")
    root = ElementTree.fromstring(text)
    if "package" in root.attrib or root.find("uses-sdk") is not None:
        raise UserError(f"{path} states a package or uses-sdk; in a Gradle project build.gradle.kts does")
    root.set("package", namespace)
    root.set(f"{{{_ANDROID}}}versionCode", str(pins.VERSION_CODE))
    root.set(f"{{{_ANDROID}}}versionName", pins.VERSION_NAME)
    sdk = {
        f"{{{_ANDROID}}}minSdkVersion": str(pins.MIN_SDK),
        f"{{{_ANDROID}}}targetSdkVersion": str(pins.TARGET_SDK),
    }
    root.insert(0, ElementTree.Element("uses-sdk", sdk))
    return ElementTree.tostring(root, encoding="unicode")
