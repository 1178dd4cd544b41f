"""Fetch the pinned libraries once, into one folder.

Maven compares every file with the checksum of the repository; npm's package is compared with the hash in `pins`.
"""

import base64
import dataclasses
import hashlib
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tests.android import pins
from tests.android.pins import CLASS_PATHS, EXECUTORCH, Coordinate
from tests.android.tools import ToolError, UnavailableError, begin, digest, finish, is_made, run_tool
from train.errors import UserError

_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
_TESTED = ("tested-target", "tested-before", "tested-min")
_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.github.tinygan.check</groupId>
  <artifactId>{name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
{body}
</project>
"""


@dataclasses.dataclass(frozen=True)
class Libraries:
    """What was fetched, ready for use."""

    class_paths: dict[str, tuple[Path, ...]]
    """Purpose, as in `pins.CLASS_PATHS`, → jars; of an aar its classes."""
    native: dict[str, tuple[Path, ...]]
    """ABI → shared libraries."""
    frameworks: Path
    """Folder with the Android versions to test on, as Robolectric looks for them."""
    aapt2: Path

    def __getitem__(self, purpose: str) -> tuple[Path, ...]:
        return self.class_paths[purpose]

    def together(self, purposes: Iterable[str]) -> list[Path]:
        """Return the jars of several purposes, of each artifact the newest version alone, as Gradle does."""
        newest: dict[Path, Path] = {}
        for path in (path for purpose in purposes for path in self[purpose]):
            artifact = path.parents[1]  # artifact/version/file, in Maven's folder
            is_newer = artifact not in newest or _version(path) > _version(newest[artifact])
            newest[artifact if path.name != "classes.jar" else path] = path if is_newer else newest[artifact]
        return list(newest.values())

    @property
    def framework(self) -> Path:
        """The Android classes of the target version."""
        return self["framework"][0]


def _version(path: Path) -> list[int]:
    return [int(part) for part in path.parent.name.replace("-", ".").split(".") if part.isdigit()]


def fetch(cache: Path, leave_out: Collection[str] = ()) -> Libraries:
    """Fetch what is not there yet.

    Args:
        cache: everything lies below it.
        leave_out: purposes of `pins.CLASS_PATHS` that this machine has no use for.

    Raises:
        UnavailableError: a repository cannot be reached or lacks a file.
        UserError: a checksum is wrong.
    """
    jars = _fetch_jars(cache, {p: c for p, c in CLASS_PATHS.items() if p not in leave_out})
    packages = _fetch_executorch(cache / "npm")
    native: dict[str, list[Path]] = {
        abi: [packages / pins.EXECUTORCH_LIBRARY.format(abi=abi)] for abi in pins.ABIS
    }
    class_paths = {}
    for purpose, paths in jars.items():
        unpacked = [_unpack_aar(path, cache / "aars") if path.suffix == ".aar" else path for path in paths]
        class_paths[purpose] = tuple(path / "classes.jar" if path.is_dir() else path for path in unpacked)
        for folder in (path for path in unpacked if path.is_dir()):
            for abi in pins.ABIS:
                native[abi] += sorted((folder / "jni" / abi).glob("*.so"))
    class_paths["executorch"] = (packages / pins.EXECUTORCH_CLASSES, *class_paths["executorch"])
    return Libraries(
        class_paths,
        {abi: tuple(paths) for abi, paths in native.items()},
        _link_frameworks(cache / "frameworks", [jar for purpose in _TESTED for jar in jars.get(purpose, ())]),
        _extract_aapt2(jars["aapt2"][0], cache / "aapt2"),
    )


def _fetch_jars(cache: Path, purposes: Mapping[str, tuple[Coordinate, ...]]) -> dict[str, tuple[Path, ...]]:
    """Let Maven fetch; return its files by purpose."""
    folder, repository = cache / "poms", cache / "maven"
    modules = {purpose: _POM.format(name=purpose, body=_dependencies(c)) for purpose, c in purposes.items()}
    key = digest(_GOAL, str(repository), *modules.values())
    if not (is_made(folder, key) and all(p.is_file() for paths in _read(folder, modules).values() for p in paths)):
        begin(folder)
        names = "\n".join(f"    <module>{purpose}</module>" for purpose in modules)
        (folder / "pom.xml").write_text(_POM.format(name="check", body=f"  <modules>\n{names}\n  </modules>"))
        for purpose, pom in modules.items():
            (folder / purpose).mkdir()
            (folder / purpose / "pom.xml").write_text(pom)
        command = ["mvn", "-B", "-ntp", "-C", f"-Dmaven.repo.local={repository}", "-f", folder / "pom.xml"]
        try:
            run_tool([*command, _GOAL, "-Dmdep.outputFile=classpath.txt"], "Maven failed")
        except ToolError as failure:
            said = [line for line in failure.output.splitlines() if line.startswith("[ERROR]")]
            line = (said or failure.output.splitlines() or ["no message"])[0].removeprefix("[ERROR] ")
            if "Checksum validation failed" in failure.output:
                raise UserError(f"a download is damaged ({line}); try again") from None
            raise UnavailableError(f"Maven cannot fetch the libraries ({line}); is the network there?") from None
        finish(folder, key)
    return _read(folder, modules)


def _read(folder: Path, purposes: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    return {p: tuple(map(Path, (folder / p / "classpath.txt").read_text().split(":"))) for p in purposes}


def _dependencies(coordinates: tuple[Coordinate, ...]) -> str:
    exclusion = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    lines = []
    for c in coordinates:
        classifier = f"<classifier>{c.classifier}</classifier>" if c.classifier else ""
        lines.append(
            f"    <dependency><groupId>{c.group}</groupId><artifactId>{c.name}</artifactId>"
            f"<version>{c.version}</version><type>{c.type}</type>{classifier}"
            f"{'' if c.transitive else exclusion}</dependency>"
        )
    return "\n".join(["  <dependencies>", *lines, "  </dependencies>"])


def _fetch_executorch(cache: Path) -> Path:
    """Let npm fetch; return the folder with the files that are needed."""
    folder = cache / f"{EXECUTORCH.name}-{EXECUTORCH.version}"
    wanted = [
        pins.EXECUTORCH_CLASSES,
        *(pins.EXECUTORCH_LIBRARY.format(abi=abi) for abi in pins.ABIS),
    ]
    key = digest(str(EXECUTORCH), EXECUTORCH.sha512, *wanted)
    if is_made(folder, key):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        try:
            run_tool(["npm", "pack", "--silent", str(EXECUTORCH)], "npm failed", Path(name))
        except ToolError as failure:
            line = (failure.output.strip().splitlines() or ["no message"])[-1]
            raise UnavailableError(f"npm cannot fetch {EXECUTORCH} ({line}); is the network there?") from None
        archive = next(Path(name).glob("*.tgz"))
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != EXECUTORCH.sha512:
            raise UserError(f"{EXECUTORCH} has SHA-512 {found}, not {EXECUTORCH.sha512}; do not use it")
        begin(folder)
        with tarfile.open(archive) as files:
            files.extractall(folder, [files.getmember(member) for member in wanted], filter="data")
    finish(folder, key)
    return folder


def _unpack_aar(aar: Path, cache: Path) -> Path:
    """Return a folder with the classes and the shared libraries."""
    folder = cache / aar.stem
    if not is_made(folder, key := f"{aar} with its rules"):
        begin(folder)
        with zipfile.ZipFile(aar) as archive:
            names = [n for n in archive.namelist() if n in ("classes.jar", "proguard.txt") or n.startswith("jni/")]
            archive.extractall(folder, names)
        finish(folder, key)
    return folder


def _link_frameworks(folder: Path, jars: Iterable[Path]) -> Path:
    folder.mkdir(exist_ok=True)
    for jar in jars:
        link = folder / jar.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(jar)
    return folder


def _extract_aapt2(jar: Path, folder: Path) -> Path:
    program = folder / jar.stem
    if not program.is_file():
        folder.mkdir(exist_ok=True)
        temporary = program.with_suffix(".new")
        with zipfile.ZipFile(jar) as archive:
            temporary.write_bytes(archive.read("prebuilt/linux/aapt2"))
        temporary.chmod(0o755)
        temporary.rename(program)
    return program
