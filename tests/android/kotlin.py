"""Compile every module with the real compiler, each against nothing but what it may see; warnings are errors."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from tests.android.libraries import Libraries
from tests.android.pins import KOTLIN
from tests.android.tools import ToolError, begin, digest, finish, is_made, java, join, run_tool

# Java 8's own classes are what API 24 has; with -jvm-target instead, calls are bound to newer signatures.
FLAGS = ("-no-stdlib", "-no-reflect", "-Werror", "-Wextra", "-progressive", "-Xjdk-release=1.8")
PC_FLAGS = ("-no-stdlib", "-no-reflect", "-Werror", "-Wextra", "-progressive", "-jvm-target", "17")
_STUBS = Path(__file__).parent / "stubs"
_PROGRAMS = Path(__file__).parent / "programs"
_JAVA_SOURCES = Path(__file__).parent / "java"


@dataclasses.dataclass(frozen=True)
class Unit:
    """What is compiled at once."""

    name: str
    sources: Path
    modules: tuple[str, ...]
    """Units that it sees, in the order of compilation."""
    libraries: tuple[Path, ...]
    friend: str | None = None
    """The unit whose internals it sees: tests see those of their module."""
    flags: tuple[str, ...] = FLAGS


def units(project: Path, libraries: Libraries, resources: Path) -> list[Unit]:
    """Return everything that is compiled, in order.

    Args:
        project: the Gradle project.
        libraries: the class paths.
        resources: classes of the app's R.
    """
    android, screens = (libraries.framework,), libraries["screen-tests"]
    executorch, litert = libraries["executorch"], libraries["litert"]
    adapters, shared = ("core", "executorch", "litert"), (*libraries["coroutines"], *libraries["json"])
    app = (*libraries["main-thread"], *libraries["codes"], *shared)

    def module(name: str, modules: tuple[str, ...], *paths: Path) -> Unit:
        return Unit(name, project / name / "src/main/kotlin", modules, paths)

    def tests(name: str, modules: tuple[str, ...], *paths: Path) -> Unit:
        return Unit(f"{name}-test", project / name / "src/test/kotlin", modules, paths, friend=name)

    return [
        Unit("litert-2", _STUBS / "litert", (), android),
        module("core", (), *shared),
        module("executorch", ("core",), *executorch, *android),
        module("litert", ("core", "litert-2"), *litert, *android),
        module("app", adapters, resources, *app, *android),
        Unit("example", project / "example/app/src/main/kotlin", ("core", "executorch"), (*app, *android)),
        Unit(
            "core-fixtures",
            project / "core/src/testFixtures/kotlin",
            ("core",),
            (*libraries["unit-tests"], *shared),
        ),
        tests("core", ("core", "core-fixtures"), *libraries["unit-tests"], *shared),
        tests("executorch", ("core", "core-fixtures", "executorch"), *screens, *executorch, *android),
        tests("litert", ("core", "core-fixtures", "litert"), *screens, *litert, *android),
        tests("app", (*adapters, "core-fixtures", "app"), resources, *screens, *app, *android),
    ]


def build_logic(project: Path, libraries: Libraries) -> list[Unit]:
    """Return what Gradle runs: against the real Gradle, and what is known of the Android plugin."""
    gradle = tuple(path for path in libraries["gradle"] if "kotlin" not in path.name)
    return [
        Unit("agp", _STUBS / "agp", (), gradle, flags=PC_FLAGS),
        Unit("build-logic", project / "build-logic/src/main/kotlin", ("agp",), gradle, flags=PC_FLAGS),
        Unit("copy-model", _PROGRAMS, ("build-logic",), gradle, flags=PC_FLAGS),
    ]


def compile_units(chosen: Sequence[Unit], libraries: Libraries, work: Path) -> list[str]:
    """Compile those whose sources, flags or class path changed.

    Args:
        chosen: in the order in which they need each other.
        libraries: the compiler and its standard library.
        work: gets a folder of classes for each unit, under its name.

    Returns:
        The names of those that were compiled.

    Raises:
        ToolError: an error or a warning.
    """
    keys: dict[str, str] = {}
    commands: dict[str, list[str]] = {}
    for unit in chosen:
        seen = [keys[module] for module in unit.modules]
        # Files of libraries never change under their name; resources of the app do.
        paths = [digest(path) if path.is_dir() else str(path) for path in unit.libraries]
        keys[unit.name] = digest(KOTLIN, *unit.flags, unit.name, *seen, *paths, unit.sources)
        if not is_made(work / unit.name, keys[unit.name]):
            commands[unit.name] = _arguments(unit, libraries, work)
    for name in commands:
        begin(work / name)
    tools = compile_tools(libraries, work)
    if commands:
        words = [word for command in commands.values() for word in ("--", *command)][1:]
        try:
            said = run_tool(java([tools, *libraries["compiler"]], "CompileAll", *words), "Kotlin does not compile")
        except ToolError as error:
            _keep_compiled(error.output, keys, work)
            raise
        _keep_compiled(said, keys, work)
    return list(commands)


def _keep_compiled(said: str, keys: dict[str, str], work: Path) -> None:
    for name in re.findall(r"^compiled (\S+)$", said, re.MULTILINE):
        finish(work / name, keys[name])


def _arguments(unit: Unit, libraries: Libraries, work: Path) -> list[str]:
    class_path = [*libraries["kotlin"], *(work / module for module in unit.modules), *unit.libraries]
    friend = [f"-Xfriend-paths={work / unit.friend}"] if unit.friend else []
    words = [
        *unit.flags,
        *friend,
        "-module-name",
        unit.name,
        "-cp",
        join(class_path),
        "-d",
        work / unit.name,
        unit.sources,
    ]
    return [str(word) for word in words]


def compile_tools(libraries: Libraries, work: Path) -> Path:
    """Return the class folder of the check's own Java programs."""
    folder, key = work / "tools", digest(_JAVA_SOURCES)
    if not is_made(folder, key):
        begin(folder)
        purposes = ("compiler", "api-level", "unit-tests", "signing")
        class_path = [path for purpose in purposes for path in libraries[purpose]]
        sources = sorted(_JAVA_SOURCES.glob("*.java"))
        run_tool(["javac", "-cp", join(class_path), "-d", folder, *sources], "the check's Java programs fail")
        finish(folder, key)
    return folder


def check_api_level(classes: Sequence[Path], libraries: Libraries, tools: Path) -> None:
    """Look for calls that the oldest supported Android lacks, hidden ones too.

    Raises:
        ToolError: there are some.
    """
    own = ("io.github.tinygan", "com.example")
    others = ("kotlin", "kotlinx", "org.pytorch", "org.tensorflow", "com.facebook", "com.google")
    ignored = ",".join(f"{package}.*" for package in own + others)
    signature = libraries["api-signature"][0]
    command = java([tools, *libraries["api-level"]], "ApiLevel", signature, ignored, *classes)
    run_tool(command, "the app calls what its minSdk does not have")
