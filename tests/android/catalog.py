"""Read the version catalog of the Gradle build: the one place of every version, the app's own too."""

import re
import tomllib
from pathlib import Path
from typing import Any

from train.errors import UserError

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "deploy/android"
"""The Gradle project."""
CATALOG = PROJECT / "gradle/libs.versions.toml"


def read_catalog(path: Path) -> dict[str, dict[str, str]]:
    """Read a version catalog with its version references resolved.

    Returns:
        "libraries": alias → group:name:version, "plugins": alias → id:version, "versions": name → version.

    Raises:
        UserError: it is missing or malformed, or refers to a version that is not there.
    """
    try:
        stored = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error})") from None
    versions: dict[str, str] = stored.get("versions", {})

    def version_of(alias: str, entry: dict[str, Any]) -> str:
        version = entry.get("version")
        if isinstance(version, dict):
            name = version.get("ref")
            if name not in versions:
                raise UserError(f"{path}: {alias} refers to version {name!r}, which is not there")
            return versions[name]
        if not isinstance(version, str):
            raise UserError(f"{path}: {alias} has no version")
        return version

    def module_of(alias: str, entry: dict[str, Any]) -> str:
        name = entry.get("module") or f"{entry.get('group')}:{entry.get('name')}"
        if not re.fullmatch(r"[\w.-]+:[\w.-]+", name) or "None" in name.split(":"):
            raise UserError(f"{path}: {alias} names no module")
        return name

    libraries = stored.get("libraries", {})
    plugins = stored.get("plugins", {})
    return {
        "versions": versions,
        "libraries": {a: f"{module_of(a, e)}:{version_of(a, e)}" for a, e in libraries.items()},
        "plugins": {a: f"{e.get('id')}:{version_of(a, e)}" for a, e in plugins.items()},
    }
