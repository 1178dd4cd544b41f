"""Run R8 as a release build does, with every rule that the build's libraries bring, and look at what it left.

A release build that loses a class or renames a method which native code looks up by name starts and then ends in
`JNI_OnLoad`. What native code may look up is read from the native libraries themselves, not from a list of ours.
"""

import dataclasses
import re
import subprocess
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.android import pins
from tests.android.libraries import Libraries
from tests.android.native import java_names
from tests.android.tools import begin, digest, finish, is_made, java, java_home, run_tool
from train.errors import UserError

_EMBEDDED_RULES = re.compile(
    r"META-INF/(?:proguard/[^/]+|com\.android\.tools/r8[^/]*/[^/]+)\.(?:pro|txt)$|META-INF/proguard/[^/]+$"
)
_REPORTS = "-printusage {folder}/usage.txt\n"
_CLASS = re.compile(r"^(\S+) -> (\S+):$")
_MEMBER = re.compile(r"^    (?:\d+:\d+:)?\S+ ([\w$<>]+)(?:\(.*\))?(?::\d+)*(?::\d+)? -> (\S+)$")
_NATIVE = re.compile(r"^\s+(?:[\w ]*\s)?native \S+ ([\w$]+)\(", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Shrunk:
    """What R8 left of an app."""

    dex: Path
    renamed: dict[str, str]
    """Class → its name in the app; classes that are gone are not in it."""
    members: dict[str, dict[str, str]]
    """Class → member → its name in the app, of those that were renamed."""
    gone: dict[str, set[str]]
    """Class → members that are gone."""


def shrink(
    classes: Sequence[Path], rules: Sequence[Path], libraries: Libraries, folder: Path, class_path: Sequence[Path]
) -> Shrunk:
    """Shrink, optimise and rename an app with its libraries.

    Args:
        classes: folders of the app's and the modules' own classes.
        rules: of the app and of the modules (`consumer-rules.pro`); those inside libraries are found.
        libraries: R8 and the framework.
        folder: gets classes.dex, mapping.txt, usage.txt and seeds.
        class_path: jars that become part of the app.

    Raises:
        ToolError: R8 misses a class, or a rule is malformed.
    """
    key = digest(*classes, *rules, *map(str, class_path), *map(str, libraries["dex"]), str(pins.MIN_SDK))
    if not is_made(folder, key):
        begin(folder)
        jars = [_jar(path, folder / f"{path.parent.name}-{path.name}.jar") for path in classes]
        own = folder / "rules.pro"
        own.write_text(_REPORTS.format(folder=folder) + "".join(_rules_inside(class_path)), "utf-8")
        common = (
            "--release",
            "--min-api",
            str(pins.MIN_SDK),
            "--lib",
            libraries.framework,
            "--lib",
            java_home(),
            "--output",
            folder,
        )
        configuration = [word for path in (*rules, own) for word in ("--pg-conf", path)]
        words = [*common, *configuration, "--pg-map-output", folder / "mapping.txt", *jars, *class_path]
        run_tool(java(libraries["dex"], "com.android.tools.r8.R8", *words), "R8 cannot shrink the app")
        finish(folder, key)
    renamed, members = _read_mapping((folder / "mapping.txt").read_text("utf-8"))
    return Shrunk(folder / "classes.dex", renamed, members, _read_usage((folder / "usage.txt").read_text("utf-8")))


def check_native_names(shrunk: Shrunk, native: Iterable[Path], class_path: Sequence[Path]) -> int:
    """Check that native code finds the classes, methods and fields that it looks up by name.

    Args:
        shrunk: what R8 left.
        native: the shared libraries of one processor.
        class_path: the jars that hold the classes.

    Returns:
        How many classes it may look up.

    Raises:
        UserError: one is gone or renamed.
    """
    named: dict[str, set[str]] = {}
    for library in native:
        classes, words = java_names(library)
        for name in classes:
            named.setdefault(name, set()).update(words)
    present = {name: _members(name, class_path) for name in named}
    for name, (all_members, native_methods) in sorted(present.items()):
        if not all_members:
            continue  # native code of a feature whose classes are not in these jars
        if shrunk.renamed.get(name) != name:
            found = shrunk.renamed.get(name, "nothing")
            raise UserError(f"native code looks up {name}, and R8 made {found} of it; add a consumer rule")
        wanted = (all_members & named[name]) | native_methods
        lost = wanted & shrunk.gone.get(name, set())
        lost |= {m for m in wanted if shrunk.members.get(name, {}).get(m, m) != m}
        if lost:
            raise UserError(
                f"native code looks up {name}.{min(lost)}, and R8 took or renamed it; add a consumer rule"
            )
    return sum(bool(members) for members, _ in present.values())


def _members(name: str, class_path: Sequence[Path]) -> tuple[set[str], set[str]]:
    """Return the methods and fields of a class, and which of them are native; none if no jar has it."""
    entry = f"{name.replace('.', '/')}.class"
    for jar in class_path:
        with zipfile.ZipFile(jar) as archive:
            if entry in archive.namelist():
                break
    else:
        return set(), set()
    words = ["javap", "-p", "-cp", ":".join(map(str, class_path)), name]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    members = set(re.findall(r"([\w$]+)(?:\(.*\))?(?: throws .*)?;$", said, re.MULTILINE))
    return members, set(_NATIVE.findall(said))


def _rules_inside(class_path: Sequence[Path]) -> Iterable[str]:
    """Return the rules that libraries bring: proguard.txt beside an aar's classes, and those in META-INF."""
    for jar in class_path:
        beside = jar.with_name("proguard.txt")
        if jar.name == "classes.jar" and beside.is_file():
            yield f"# of {jar.parent.name}\n{beside.read_text('utf-8')}\n"
        with zipfile.ZipFile(jar) as archive:
            for name in sorted(filter(_EMBEDDED_RULES.match, archive.namelist())):
                yield f"# of {jar.name}, {name}\n{archive.read(name).decode()}\n"


def _jar(classes: Path, jar: Path) -> Path:
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes).as_posix())
    return jar


def _read_mapping(text: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    renamed: dict[str, str] = {}
    members: dict[str, dict[str, str]] = {}
    current = ""
    for line in text.splitlines():
        if found := _CLASS.match(line):
            current = found[1]
            renamed[current] = found[2]
        elif found := _MEMBER.match(line):
            members.setdefault(current, {})[found[1]] = found[2]
    return renamed, members


def _read_usage(text: str) -> dict[str, set[str]]:
    gone: dict[str, set[str]] = {}
    current = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            current = line.removesuffix(":")
            gone.setdefault(current, set())
        elif found := re.search(r"([\w$<>]+)(?:\(.*\))?$", line.strip()):
            gone[current].add(found[1])
    return gone
