"""Read the Gradle build, which cannot run here, and compare it with what the check builds."""

import hashlib
import re
from pathlib import Path

from tests.android import pins
from tests.android.catalog import read_catalog
from tests.android.pins import CLASS_PATHS
from tests.android.resources import APPLICATION
from train.errors import UserError

MODULES = ("app", "core", "executorch", "litert")
_DEPENDENCIES = {
    "core": set(),
    "executorch": {"core"},
    "litert": {"core"},
    "app": {"core", "executorch", "litert"},
}
_OF_GOOGLE = (
    "com.android.tools.build:gradle",
    "org.pytorch:executorch-android",
    "com.google.ai.edge.litert:litert",
)
_KOTLIN_PLUGIN = "org.jetbrains.kotlin:kotlin-gradle-plugin"
_WRAPPER_SHA256 = "55243ef57851f12b070ad14f7f5bb8302daceeebc5bce5ece5fa6edb23e1145c"
"""Of the wrapper's jar of Gradle 9.4.1, as Gradle publishes it; React Native's npm template holds the same."""
_TOKEN = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?:.|\n)*?\*/|[(){}\[\]]')
_PAIRS = {")": "(", "]": "[", "}": "{"}


def check_gradle(project: Path) -> str:
    """Parse settings, version catalog and build scripts and compare them with the pins.

    Args:
        project: the Gradle project.

    Returns:
        What was found, for the progress line.

    Raises:
        UserError: a file is missing or malformed, or names another version or module than the check.
    """
    settings = _script(project / "settings.gradle.kts")
    modules = sorted(included_modules(settings))
    if modules != sorted(MODULES):
        raise UserError(f"{project / 'settings.gradle.kts'} includes {modules}; the check builds {list(MODULES)}")
    catalog_file = project / "gradle/libs.versions.toml"
    catalog = read_catalog(catalog_file)
    scripts = {name: _script(project / name / "build.gradle.kts") for name in (*modules, "build-logic")}
    root = _script(project / "build.gradle.kts")
    _check_names(catalog, "\n".join((root, *scripts.values())), catalog_file)
    _check_versions(catalog, catalog_file)
    for name, needed in _DEPENDENCIES.items():
        path = project / name / "build.gradle.kts"
        found = set(re.findall(r'project\("?:(\w+)"?\)', scripts[name]))
        if found != needed:
            raise UserError(f"{path} depends on {sorted(found)}, not {sorted(needed)}")
    _check_app(scripts["app"], project / "app/build.gradle.kts")
    _check_example(project, catalog)
    for name in ("executorch", "litert"):
        if not (project / name / "consumer-rules.pro").is_file():
            raise UserError(f"{project / name} has no consumer-rules.pro; a minified app would lose native names")
    wrapper = (project / "gradle/wrapper/gradle-wrapper.properties").read_text("utf-8")
    if not re.search(r"^distributionUrl=.*gradle-[\d.]+-(bin|all)\.zip$", wrapper, re.MULTILINE):
        raise UserError(f"{project / 'gradle/wrapper/gradle-wrapper.properties'} names no Gradle version")
    jar = project / "gradle/wrapper/gradle-wrapper.jar"
    if hashlib.sha256(jar.read_bytes()).hexdigest() != _WRAPPER_SHA256:
        raise UserError(f"{jar} is not the one that Gradle publishes")
    return f"{len(modules)} modules, {len(catalog['libraries'])} libraries"


def included_modules(settings: str) -> list[str]:
    """Return the modules that settings.gradle.kts includes, without their colons."""
    calls = re.findall(r"\binclude\(([^)]*)\)", settings)
    return [name.lstrip(":") for call in calls for name in re.findall(r'"([^"]+)"', call)]


def check_brackets(text: str, name: str) -> None:
    """Check that brackets outside strings and comments match.

    Raises:
        UserError: one does not, with its line.
    """
    open_brackets: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(text):
        bracket, line = token[0], text.count("\n", 0, token.start()) + 1
        if bracket in _PAIRS.values():
            open_brackets.append((bracket, line))
        elif bracket in _PAIRS and (not open_brackets or open_brackets.pop()[0] != _PAIRS[bracket]):
            raise UserError(f"{name}, line {line}: {bracket} closes nothing")
    if open_brackets:
        raise UserError(f"{name}, line {open_brackets[-1][1]}: {open_brackets[-1][0]} is not closed")


def _script(path: Path) -> str:
    """Return a build script without its comments."""
    if not path.is_file():
        raise UserError(f"{path} is missing")
    text = path.read_text("utf-8")
    check_brackets(text, str(path))
    return _TOKEN.sub(lambda token: "" if token[0].startswith(("//", "/*")) else token[0], text)


def _check_names(catalog: dict[str, dict[str, str]], scripts: str, path: Path) -> None:
    """Compare the aliases of the catalog with those that the scripts use."""
    accessors = {_accessor(alias): alias for alias in catalog["libraries"]}
    accessors |= {f"plugins.{_accessor(alias)}": alias for alias in catalog["plugins"]}
    accessors |= {f"versions.{_accessor(name)}": name for name in catalog["versions"]}
    used = {u.removesuffix(".get") for u in re.findall(r"\blibs\.([\w.]+)", scripts)}
    if unknown := sorted(used - accessors.keys()):
        raise UserError(f"a build script uses libs.{unknown[0]}, which {path} does not have")
    entries = {a for a in accessors if not a.startswith("versions.")}
    if unused := sorted(entries - used):
        raise UserError(f"{path} has {accessors[unused[0]]}, which no build script uses")


def _accessor(alias: str) -> str:
    return re.sub(r"[-_]", ".", alias)


def _check_versions(catalog: dict[str, dict[str, str]], path: Path) -> None:
    """Check that the check fetches every library, but those that are in no repository that it reaches."""
    fetched = {f"{c.group}:{c.name.removesuffix('-jvm')}" for cs in CLASS_PATHS.values() for c in cs}
    for alias, text in catalog["libraries"].items():
        if text.rsplit(":", 1)[0] not in fetched | {*_OF_GOOGLE, _KOTLIN_PLUGIN}:
            raise UserError(f"{path}: {alias} is {text}, which the check does not fetch")


def _check_app(script: str, path: Path) -> None:
    """Check what the app's own script must say."""
    values = {"namespace": f'"{APPLICATION}.app"', "applicationId": f'"{APPLICATION}"', "isMinifyEnabled": "true"}
    values |= {key: f"libs.versions.{key}.get()" for key in ("minSdk", "targetSdk", "versionCode", "versionName")}
    for key, value in values.items():
        if not re.search(rf"\b{key}\s*=\s*{re.escape(value)}", script):
            raise UserError(f"{path} does not say {key} = {value}")
    for abi in pins.ABIS:
        if f'"{abi}"' not in script:
            raise UserError(f"{path} does not name the ABI {abi}")
    if not re.search(r"\brelease\s*\{[^}]*\bsigningConfig\s*=", script):
        raise UserError(f"{path} does not sign release builds; no phone would install one to be measured")


def _check_example(project: Path, catalog: dict[str, dict[str, str]]) -> None:
    """Check that the example, which has no catalog, names our versions."""
    for name in ("build-logic/settings.gradle.kts", "example/settings.gradle.kts"):
        _script(project / name)
    path = project / "example/app/build.gradle.kts"
    script = _script(path)
    wanted = [f"{key} = {catalog['versions'][key]}" for key in ("compileSdk", "minSdk", "targetSdk")]
    wanted.append(f'"{catalog["libraries"]["kotlinx-coroutines-android"]}"')
    for text in wanted:
        if text not in script:
            raise UserError(f"{path} does not say {text}")
