"""Run the JUnit classes of a module: plain ones, and those that need Android on Robolectric."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.android.libraries import Libraries
from tests.android.resources import Resources
from tests.android.tools import java, run_tool

# Robolectric reaches into these when assets are opened and views are inflated.
_OPEN = ("java.base/java.io", "java.base/java.lang", "java.base/java.util", "java.base/java.nio")


def test_classes(sources: Path) -> list[str]:
    """Return the names of the classes in files called *Test.kt."""
    found = []
    for path in sorted(sources.rglob("*Test.kt")):
        package = re.search(r"^package (\S+)$", path.read_text("utf-8"), re.MULTILINE)
        found.append(f"{package[1]}.{path.stem}" if package else path.stem)
    return found


def run_tests(
    names: Sequence[str],
    class_path: Sequence[Path],
    properties: Mapping[str, str | Path],
    flags: Sequence[str] = (),
    program: str | Path = "java",
) -> str:
    """Run test classes.

    Args:
        names: of the classes.
        class_path: everything that they need, the runner too.
        properties: system properties.
        flags: of the JVM.
        program: the Java that runs them.

    Returns:
        The last line: "N tests, 0 failed".

    Raises:
        ToolError: a test failed, or there is none.
    """
    words = [f"-D{name}={value}" for name, value in properties.items()]
    command = java(class_path, "RunTests", *names, flags=[*flags, *words], program=program)
    return run_tool(command, "a test failed").strip().splitlines()[-1]


def robolectric(
    resources: Resources, libraries: Libraries, work: Path
) -> tuple[Path, dict[str, str | Path], list[str]]:
    """Return what tests on Robolectric need more: a class folder, system properties and flags of the JVM.

    Args:
        resources: of the app.
        libraries: with both versions of Android.
        work: gets the configuration.
    """
    folder = work / "robolectric"
    configuration = folder / "com/android/tools/test_config.properties"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(
        f"android_merged_manifest={resources.manifest}\nandroid_resource_apk={resources.apk}\n", "utf-8"
    )
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": libraries.frameworks,
    }
    flags = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPEN]
    # Its shared memory of Android 16 is a file of the JVM.
    return folder, properties, [*flags, "--add-exports=java.base/jdk.internal.access=ALL-UNNAMED"]
