"""Compile, test, run and pack the Android app without SDK, Gradle or phone: `python -m tests.android`.

The first run fetches compiler, Android classes and runtimes into one folder; later ones need no network.
"""

import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.android import pins
from tests.android.libraries import fetch
from tests.android.model import ANIMALS, DIGITS
from tests.android.steps import Check
from tests.android.tools import ToolError, UnavailableError, find_java, need_programs
from train.cli import parse, run_script
from train.errors import UserError


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tinygan-edge" / "android"


@dataclasses.dataclass(frozen=True)
class CheckConfig:
    """What is checked, and with what."""

    artifacts: Path | None = None
    """Folder of an exported model; by default runs/digits/artifacts, or the embedded student is exported."""
    cache: Path = dataclasses.field(default_factory=_default_cache)
    """Folder for everything that is fetched and made; about 1 GB."""
    skip_if_unavailable: bool = False
    """Say so and succeed where Java, Maven, npm or a repository is not there."""
    jobs: int = 2
    """Test machines at once, 1 GB of memory each."""
    update_pictures: bool = False
    """Take the screenshots in deploy/android/pictures anew, with the embedded animals, and check nothing else."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise UserError(f"--jobs must be at least 1, not {self.jobs}")


def main(arguments: list[str]) -> None:
    """Parse and check; print a line for each step."""
    config = parse(CheckConfig, arguments, __doc__ or "")
    cache, started = config.cache.resolve(), time.monotonic()
    try:
        need_programs()
        newest_java = find_java(pins.JAVA_OF_TARGET)
        libraries = fetch(cache, {"tested-before" if newest_java else "tested-target"})
    except UnavailableError as error:
        if not config.skip_if_unavailable:
            raise
        print(f"SKIPPED: the Android app is not compiled, tested or packed: {error}", flush=True)
        return
    _say("libraries", started, f"in {cache}")
    check = Check(cache / "work", libraries, newest_java)
    # The tests name the classes of digits.
    student = ANIMALS if config.update_pictures else DIGITS
    build: list[tuple[str, Callable[[], str]]] = [
        ("model", lambda: check.model(config.artifacts, student, cache)),
        ("recordings", check.recordings),
        ("resources", check.resources),
        ("Kotlin", check.kotlin),
    ]
    steps = [
        ("Gradle files", check.gradle),
        ("README", check.readme),
        ("lint", check.lint),
        *build,
        (f"API level {pins.MIN_SDK}", check.api_level),
        ("tests of core", check.core_tests),
        ("tests on Android", lambda: check.android_tests(config.jobs)),
        ("tests by Gradle", check.gradle_tests),
        ("pictures", check.pictures),
        ("R8", check.shrink),
        ("R8 of the example", check.example),
        ("native symbols", check.symbols),
        ("APK", check.apk),
    ]
    for name, step in [*build, ("pictures", check.update_pictures)] if config.update_pictures else steps:
        begun = time.monotonic()
        try:
            said = step()
        except ToolError as error:
            print(error.output.rstrip(), file=sys.stderr)
            raise
        _say(name, begun, said)
    print(f"all of it in {time.monotonic() - started:.0f} s", flush=True)


def _say(name: str, begun: float, text: str) -> None:
    print(f"{name:<17}{time.monotonic() - begun:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    run_script(main)
