"""Other programs: run them, find them, and know when their work is still valid."""

import hashlib
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from train.errors import UserError

JVM_FLAGS = ("-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
OLDEST_JAVA = 17
_JAVA_FOLDER = Path("/usr/lib/jvm")
"""Where distributions put every Java that is installed."""
_KEY_FILE = ".made-from"


class UnavailableError(UserError):
    """The check needs something that is not on this machine and cannot be fetched."""


class ToolError(UserError):
    """A program found something wrong; `output` is what it said."""

    def __init__(self, sentence: str, output: str) -> None:
        super().__init__(sentence)
        self.output = output


def run_tool(command: Iterable[str | Path], sentence: str, folder: Path | None = None) -> str:
    """Run a program and return what it printed, errors included.

    Args:
        command: the program and its arguments.
        sentence: what its failure means.
        folder: where it runs.

    Raises:
        ToolError: its exit status is not 0.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToolError(f"{sentence} ({Path(words[0]).name} exited with {done.returncode})", done.stdout)
    return done.stdout


def java(
    class_path: Iterable[Path],
    main_class: str,
    *arguments: str | Path,
    flags: Iterable[str] = (),
    program: str | Path = "java",
) -> list[str]:
    """Return the command that runs `main_class`."""
    words = [program, *JVM_FLAGS, *flags, "-cp", join(class_path), main_class, *arguments]
    return [str(word) for word in words]


def java_home() -> Path:
    """Return the folder of the JDK whose `javac` is found first: R8 reads Java's own classes there."""
    program = shutil.which("javac")
    assert program is not None, "need_programs() comes first"
    return Path(program).resolve().parents[1]


def java_version(program: str | Path) -> int:
    """Return the version of a Java program; 0 if it does not tell."""
    version = re.search(r'version "(\d+)', run_tool([program, "-version"], f"{program} does not start"))
    return int(version[1]) if version else 0


def find_java(oldest: int) -> Path | None:
    """Return the oldest Java on this machine that is of version `oldest` or newer; None if there is none."""
    programs = {Path(found).resolve() for found in [shutil.which("java")] if found}
    programs |= {path.resolve() for path in _JAVA_FOLDER.glob("*/bin/java")}
    fitting = {program: version for program in programs if (version := java_version(program)) >= oldest}
    return min(fitting, key=lambda program: fitting[program], default=None)


def join(class_path: Iterable[Path]) -> str:
    """Return a class path as Java takes it."""
    return ":".join(str(path) for path in class_path)


def need_programs() -> None:
    """Check that Java, Maven and npm are there.

    Raises:
        UnavailableError: one is not, Java is too old, or aapt2 is not to be had for this machine.
    """
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise UnavailableError(f"aapt2 is fetched for Linux on x86_64 only, and this is {machine}")
    packages = {"java": f"openjdk-{OLDEST_JAVA}-jdk-headless", "javac": f"openjdk-{OLDEST_JAVA}-jdk-headless"}
    packages |= {"mvn": "maven", "npm": "npm"}
    for program, package in packages.items():
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is not installed; apt-get install {package}")
    if (found := java_version("java")) < OLDEST_JAVA:
        raise UnavailableError(f"java is of version {found or 'unknown'}; {OLDEST_JAVA} or newer is needed")


def digest(*parts: str | Path) -> str:
    """Return a hash of strings, of files, and of all files in folders."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(f"{part}\0".encode())
            continue
        files = sorted(p for p in part.rglob("*") if p.is_file()) if part.is_dir() else [part]
        for file in files:
            name = file.relative_to(part).as_posix() if file != part else file.name
            total.update(f"{name}\0{file.stat().st_size if file.exists() else 'absent'}\0".encode())
            total.update(file.read_bytes() if file.exists() else b"")
    return total.hexdigest()


def is_made(folder: Path, key: str) -> bool:
    """Return whether `folder` holds what was made from `key`."""
    mark = folder / _KEY_FILE
    return mark.is_file() and mark.read_text() == key


def begin(folder: Path) -> None:
    """Empty `folder`, or make it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def finish(folder: Path, key: str) -> None:
    """Remember that `folder` is made, from `key`."""
    (folder / _KEY_FILE).write_text(key)
