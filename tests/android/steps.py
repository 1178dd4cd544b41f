"""The steps of the check, in the order of the data between them."""

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.manifest import read_manifest
from tests.android import apk, jvm_tests, kotlin, pins
from tests.android.apk import ready_for_16_kb
from tests.android.catalog import PROJECT, ROOT
from tests.android.gradle_files import check_gradle
from tests.android.jvm_tests import robolectric, run_tests, test_classes
from tests.android.libraries import Libraries
from tests.android.lint import lint
from tests.android.model import BACKENDS, app_artifacts, copy_assets, find_artifacts
from tests.android.native import missing_before
from tests.android.pictures import FOLDER, find_pictures, show
from tests.android.resources import APPLICATION, NAMESPACE, Resources, link
from tests.android.shrink import Shrunk, check_native_names, shrink
from tests.android.snippets import check_snippets
from tests.android.tools import begin, digest, finish, is_made, java, run_tool
from train.errors import UserError

MODULES = ("core", "executorch", "litert", "app")
_EXAMPLE = "com.example.tinygan"
_CORE_TESTS = ("kotlin", "coroutines", "json", "unit-tests")
_RECORDER = Path(__file__).with_name("recordings.py")


class Check:
    """Each method is a step, returns what its progress line says, and leaves its result for the next.

    Args:
        work: gets everything that is made.
        libraries: what was fetched.
        newest_java: the Java that runs Android 16's classes; without it the tests run on the version before.
    """

    def __init__(self, work: Path, libraries: Libraries, newest_java: Path | None) -> None:
        self.work, self.libraries, self._newest_java = work, libraries, newest_java
        self._artifacts = self._assets = Path()
        self._resources: Resources | None = None
        self._shrunk: Shrunk
        self._tools = Path()

    def gradle(self) -> str:
        """Compare the Gradle build with the pins."""
        return check_gradle(PROJECT)

    def readme(self) -> str:
        """Compare the README's Kotlin with what is compiled."""
        return f"{check_snippets(PROJECT)} snippets quoted word for word"

    def lint(self) -> str:
        """Read the Kotlin with ktlint and detekt."""
        return lint(PROJECT, self.libraries, self.work / "lint")

    def model(self, chosen: Path | None, student: Path, cache: Path) -> str:
        """Find or export the model and lay out the app's assets."""
        self._artifacts = find_artifacts(chosen, student, cache).resolve()
        kotlin.compile_units(kotlin.build_logic(PROJECT, self.libraries), self.libraries, self.work)
        class_path = [
            *self._classes("copy-model", "build-logic"),
            *self.libraries["kotlin"],
            *self.libraries["gradle"],
        ]
        self._assets = copy_assets(
            self._artifacts, self.work / "model" / "assets", java(class_path, "CopyModelMainKt")
        )
        return f"of {self._artifacts}, copied by the Gradle build's own code"

    def recordings(self) -> str:
        """Let the model's runtimes draw what the tests will ask for."""
        folder = self._recorded
        key = digest(_RECORDER, self._assets)
        if not is_made(folder, key):
            begin(folder)
            command = [sys.executable, "-m", "tests.android.recordings", self._artifacts, folder]
            run_tool(command, "the runtimes of this machine cannot draw", ROOT)
            finish(folder, key)
        count = len(app_artifacts(read_manifest(folder), self._artifacts))
        return f"raw outputs and Python's bytes of {count} artifacts"

    def resources(self) -> str:
        """Link resources, manifest and assets."""
        main, folder = PROJECT / "app/src/main", self.work / "resources"
        self._resources = link(
            main, self._assets, self.libraries, folder, namespace=NAMESPACE, application=APPLICATION
        )
        return "linked by aapt2"

    def kotlin(self) -> str:
        """Compile every module, the snippets and the tests."""
        units = kotlin.units(PROJECT, self.libraries, self._linked.classes)
        compiled = kotlin.compile_units(units, self.libraries, self.work)
        self._tools = kotlin.compile_tools(self.libraries, self.work)
        return f"{len(units)} units without a warning; compiled anew: {', '.join(compiled) or 'none'}"

    def api_level(self) -> str:
        """Look for calls that the oldest Android lacks."""
        kotlin.check_api_level(self._classes(*MODULES, "example"), self.libraries, self._tools)
        return "nothing newer is called"

    def core_tests(self) -> str:
        """Run the tests that need no Android."""
        return self._run_core({"check.recordings": self._recorded})

    def android_tests(self, jobs: int = 2) -> str:
        """Run the adapters and the screens on Robolectric, the oldest and the newest Android.

        Args:
            jobs: virtual machines at once, 1 GB each.
        """
        passed = self._pictures / "passed.txt"
        key = digest(
            *(path if path.is_dir() else str(path) for path in self._android_classes),
            *(self._recorded, self._linked.apk, self._linked.manifest, str(self._newest_java)),
            *(Path(__file__), Path(jvm_tests.__file__)),
        )
        if is_made(self._pictures, key):
            return f"{passed.read_text('utf-8')}; since then nothing has changed"
        begin(self._pictures)

        # A virtual machine for each version: they do not share classes, and a computer has several cores.
        with ThreadPoolExecutor(jobs) as pool:
            said = list(
                pool.map(lambda sdk: self._run_android(sdk, self._recording), (pins.MIN_SDK, self._newest_sdk))
            )
        if self._newest_java is None:
            said.append(f"NOT on API {pins.TARGET_SDK}: that needs Java {pins.JAVA_OF_TARGET} or newer")
        passed.write_text("; ".join(said), "utf-8")
        finish(self._pictures, key)
        return "; ".join(said)

    def gradle_tests(self) -> str:
        """Run the tests as Gradle does, without recordings: those that need them must skip themselves."""
        skips = {"check.skips": "true"}
        return f"core: {self._run_core(skips)}; {self._run_android(pins.MIN_SDK, skips)}"

    def _run_core(self, properties: Mapping[str, str | Path]) -> str:
        class_path = [
            self._tools,
            *self._classes("core-test", "core-fixtures", "core"),
            PROJECT / "core/src/test/resources",
        ]
        return run_tests(
            test_classes(PROJECT / "core/src/test/kotlin"),
            [*class_path, *(p for purpose in _CORE_TESTS for p in self.libraries[purpose])],
            properties,
        )

    def _run_android(self, sdk: int, own: Mapping[str, str | Path], suffix: str = "") -> str:
        configuration, properties, flags = robolectric(self._linked, self.libraries, self.work)
        found = [n for m in MODULES if m != "core" for n in test_classes(PROJECT / m / "src/test/kotlin")]
        names = [name for name in found if name.endswith(suffix)]
        # Before API 26 Robolectric draws nothing; one way for all tests of a version loads its classes once.
        graphics = "LEGACY" if sdk == pins.MIN_SDK else "NATIVE"
        only = {"robolectric.enabledSdks": str(sdk), "robolectric.graphicsMode": graphics}
        program = self._newest_java or "java"
        class_path = [configuration, *self._android_classes]
        said = run_tests(names, class_path, {**properties, **own, **only}, flags, program)
        return f"API {sdk}: {said}"

    def pictures(self) -> str:
        """See that the tests took every picture."""
        find_pictures(self._pictures)
        return f"in {self._pictures}"

    def update_pictures(self) -> str:
        """Run the tests that take pictures alone, on the newest Android, and copy them into the project."""
        begin(self._pictures)
        said = self._run_android(self._newest_sdk, self._recording, ".PicturesTest")
        show(find_pictures(self._pictures))
        return f"{said}; in {FOLDER}"

    def shrink(self) -> str:
        """Run R8 as a release build does, and look for what native code would miss."""
        rules = [*self._consumer_rules, PROJECT / "app/proguard-rules.pro", self._linked.rules]
        classes = [*self._classes("litert-2", *MODULES), self._linked.classes]
        self._shrunk = shrink(classes, rules, self.libraries, self.work / "shrunk", self._shipped)
        count = check_native_names(self._shrunk, self.libraries.native[pins.ABIS[0]], self._shipped)
        size = f"{self._shrunk.dex.stat().st_size / 1e6:.2f} MB"
        return f"{size}; {count} classes that native code looks up keep their names"

    def example(self) -> str:
        """Run R8 on the foreign app that embeds a module, with the module's rules and none of its own."""
        main, folder = PROJECT / "example/app/src/main", self.work / "example-resources"
        linked = link(main, self._assets, self.libraries, folder, namespace=_EXAMPLE, application=_EXAMPLE)
        jars = self.libraries.together(pins.SHIPPED_BY_EXAMPLE)
        classes = [*self._classes("core", "executorch", "example"), linked.classes]
        rules = [PROJECT / "executorch/consumer-rules.pro", linked.rules]
        shrunk = shrink(classes, rules, self.libraries, self.work / "example-shrunk", jars)
        count = check_native_names(shrunk, self._native(pins.ABIS[0], "xnnpack"), jars)
        return (
            f"{shrunk.dex.stat().st_size / 1e6:.2f} MB; {count} classes that native code looks up keep their names"
        )

    def symbols(self) -> str:
        """Look for functions that the oldest Android lacks in the native libraries."""
        for libraries in self.libraries.native.values():
            shipped = {path.name for path in libraries}
            problems = [p for path in libraries for p in missing_before(path, pins.MIN_SDK, shipped)]
            if problems:
                raise UserError(problems[0])
        names = sorted({path.name for libraries in self.libraries.native.values() for path in libraries})
        return f"API {pins.MIN_SDK} has all that {', '.join(names)} need"

    def apk(self) -> str:
        """Pack, sign and verify."""
        native: dict[str, list[Path]] = {abi: [] for abi in pins.ABIS}
        notes, left_out = [], []
        for (_, backend), extension in BACKENDS.items():
            own = {abi: self._native(abi, backend) for abi in pins.ABIS}
            _, unfit = ready_for_16_kb(path for paths in own.values() for path in paths)
            if unfit:
                path, alignment = next(iter(unfit.items()))
                notes.append(f"WITHOUT {backend}: {path.name} is aligned to {alignment} bytes, not 16384")
                left_out.append(f".{extension}")
            else:
                for abi, paths in own.items():
                    native[abi] += paths
        if not any(native.values()):
            raise UserError(f"no backend can be packed; {'; '.join(notes)}")
        target = self.work / "tinygan-edge.apk"
        unsigned = self.work / "unsigned.apk"
        apk.pack(self._linked.apk, self._shrunk.dex, native, unsigned, left_out)
        verifier = apk.sign(unsigned, target, self.libraries, self._tools, self.work.parent / "debug.p12")
        apk.inspect(target, self.libraries, pins.ABIS)
        size = f"{target.stat().st_size / 1e6:.1f} MB, {' and '.join(pins.ABIS)}"
        return "; ".join([f"{target}, {size}", f"verified by {verifier} and aapt2", *notes])

    @property
    def _android_classes(self) -> list[Path]:
        """The class path of the tests that need Android, without Robolectric's configuration."""
        tests = ("core-fixtures", *(f"{module}-test" for module in MODULES if module != "core"))
        # The classes of Android 16 need a newer Java than those of 15.
        framework = "framework" if self._newest_java else "tested-before"
        purposes = (*pins.SHIPPED, "screen-tests", framework)
        return [
            *(self._tools, *self._classes(*tests, *MODULES, "litert-2"), self._linked.classes),
            PROJECT / "core/src/test/resources",
            *(PROJECT / module / "src/test/resources" for module in MODULES if module != "core"),
            *(path for purpose in purposes for path in self.libraries[purpose]),
        ]

    @property
    def _newest_sdk(self) -> int:
        return pins.TARGET_SDK if self._newest_java else pins.BEFORE_SDK

    @property
    def _shipped(self) -> list[Path]:
        """The jars whose classes become part of the app."""
        return self.libraries.together(pins.SHIPPED)

    @property
    def _consumer_rules(self) -> list[Path]:
        return [path for module in MODULES if (path := PROJECT / module / "consumer-rules.pro").is_file()]

    @property
    def _recorded(self) -> Path:
        return self.work / "recordings"

    @property
    def _pictures(self) -> Path:
        return self.work / "pictures"

    @property
    def _recording(self) -> dict[str, str | Path]:
        """The properties of tests that draw, and take pictures."""
        return {"check.recordings": self._recorded, "check.pictures": self._pictures}

    @property
    def _linked(self) -> Resources:
        assert self._resources is not None, "resources() comes first"
        return self._resources

    def _classes(self, *units: str) -> list[Path]:
        return [self.work / unit for unit in units]

    def _native(self, abi: str, backend: str) -> list[Path]:
        names = pins.NATIVE_LIBRARIES[backend]
        found = [path for path in self.libraries.native[abi] if path.name in names]
        if missing := sorted(set(names) - {path.name for path in found}):
            raise UserError(f"{missing[0]} for {abi} was not fetched; delete the cache and try again")
        return found
