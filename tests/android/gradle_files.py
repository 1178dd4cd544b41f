"""Read the Gradle build, which cannot run here, and compare it with what the check builds."""

import re
from pathlib import Path

from tests.android import pins
from tests.android.catalog import read_catalog
from tests.android.pins import CLASS_PATHS
from tests.android.resources import APPLICATION
from train.errors import UserError

MODULES = ("app", "core", "executorch", "litert")
_SUBSTITUTES = {
    "org.pytorch:executorch-android": str(pins.EXECUTORCH),
    "com.google.ai.edge.litert:litert": f"org.tensorflow:tensorflow-lite:{pins.TENSORFLOW_LITE}",
}
"""What the build takes → what the check takes in its place: the same classes, from a repository that is there."""
_PLUGINS_OF_GOOGLE = ("com.android.application", "com.android.library")
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
    scripts = {name: _script(project / name / "build.gradle.kts") for name in modules}
    root = _script(project / "build.gradle.kts")
    _check_names(catalog, "\n".join((root, *scripts.values())), catalog_file)
    _check_versions(catalog, catalog_file)
    for name, script in scripts.items():
        _check_module(name, script, catalog, project / name / "build.gradle.kts")
    wrapper = (project / "gradle/wrapper/gradle-wrapper.properties").read_text("utf-8")
    if not re.search(r"^distributionUrl=.*gradle-[\d.]+-(bin|all)\.zip$", wrapper, re.MULTILINE):
        raise UserError(f"{project / 'gradle/wrapper/gradle-wrapper.properties'} names no Gradle version")
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
    """Check that the check fetches every library, and knows every plugin."""
    fetched = {f"{c.group}:{c.name}" for coordinates in CLASS_PATHS.values() for c in coordinates}
    for alias, text in catalog["libraries"].items():
        if text.rsplit(":", 1)[0] not in fetched | _SUBSTITUTES.keys():
            raise UserError(f"{path}: {alias} is {text}, which the check does not fetch")
    for alias, text in catalog["plugins"].items():
        if not text.startswith(("org.jetbrains.kotlin.", *_PLUGINS_OF_GOOGLE)):
            raise UserError(f"{path}: {alias} is {text}, which the check does not know")


def _check_module(name: str, script: str, catalog: dict[str, dict[str, str]], path: Path) -> None:
    """Compare a module's namespace, SDK versions and dependencies on other modules with the check."""
    dependencies = set(re.findall(r'project\("?:(\w+)"?\)', script))
    expected = {"core": set(), "executorch": {"core"}, "litert": {"core"}, "app": {"core", "executorch", "litert"}}
    if dependencies != expected[name]:
        raise UserError(f"{path} depends on {sorted(dependencies)}, not {sorted(expected[name])}")
    if name == "core":
        return
    values = {"namespace": f"{APPLICATION}.{name}", "minSdk": pins.MIN_SDK, "compileSdk": pins.TARGET_SDK}
    if name == "app":
        values |= {"applicationId": APPLICATION, "targetSdk": pins.TARGET_SDK}
        values |= {"versionCode": pins.VERSION_CODE, "versionName": pins.VERSION_NAME}
        for abi in pins.ABIS:
            if f'"{abi}"' not in script:
                raise UserError(f"{path} does not name the ABI {abi}")
        if not re.search(r"\brelease\s*\{[^}]*\bsigningConfig\s*=", script):
            raise UserError(f"{path} does not sign release builds; no phone would install one to be measured")
    for key, value in values.items():
        found = re.search(rf"\b{key}\s*=\s*(\S+)", script)
        stated = _resolve(found[1], catalog) if found else None
        if stated != str(value):
            raise UserError(f"{path} has {key} = {stated}, not {value}")


def _resolve(expression: str, catalog: dict[str, dict[str, str]]) -> str:
    """Return the value of a literal, or of libs.versions.NAME.get().toInt()."""
    reference = re.match(r"libs\.versions\.([\w.]+?)\.get\(\)", expression)
    if reference is None:
        return expression.strip('"')
    versions = {_accessor(name): version for name, version in catalog["versions"].items()}
    return versions.get(reference[1], f"libs.versions.{reference[1]}")
