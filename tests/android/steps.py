"""The steps of the check, in the order of the data between them."""

import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from deploy.manifest import read_manifest
from tests.android import apk, kotlin, pins
from tests.android.apk import ready_for_16_kb
from tests.android.catalog import PROJECT, ROOT
from tests.android.gradle_files import check_gradle
from tests.android.jvm_tests import robolectric, run_tests, test_classes
from tests.android.libraries import Libraries
from tests.android.model import BACKENDS, app_artifacts, copy_assets, find_artifacts
from tests.android.resources import Resources, link
from tests.android.snippets import check_snippets
from tests.android.tools import begin, digest, finish, is_made, run_tool
from train.errors import UserError

MODULES = ("core", "executorch", "litert", "app")
PICTURES = ("main", "morph", "benchmark", "dark")
_PICTURE_WIDTH = 480  # enough for a README
_RECORDER = Path(__file__).with_name("recordings.py")


class Check:
    """Each method is a step, returns what its progress line says, and leaves its result for the next.

    Args:
        work: gets everything that is made.
        libraries: what was fetched.
    """

    def __init__(self, work: Path, libraries: Libraries) -> None:
        self.work, self.libraries = work, libraries
        self._artifacts = self._assets = self._dex = Path()
        self._resources: Resources | None = None
        self._tools = Path()

    def gradle(self) -> str:
        """Compare the Gradle build with the pins."""
        return check_gradle(PROJECT)

    def readme(self) -> str:
        """Compare the README's Kotlin with what is compiled."""
        return f"{check_snippets(PROJECT)} snippets quoted word for word"

    def model(self, chosen: Path | None, cache: Path) -> str:
        """Find or export the model and lay out the app's assets."""
        self._artifacts = find_artifacts(chosen, cache).resolve()
        self._assets = copy_assets(self._artifacts, self.work / "model" / "assets")
        return f"of {self._artifacts}"

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
        self._resources = link(PROJECT, self._assets, self.libraries, self.work)
        return "linked by aapt2"

    def kotlin(self) -> str:
        """Compile every module, the snippets and the tests."""
        units = kotlin.units(PROJECT, self.libraries, self._linked.classes)
        compiled = kotlin.compile_units(units, self.libraries, self.work)
        self._tools = kotlin.compile_tools(self.libraries, self.work)
        return f"{len(units)} units without a warning; compiled anew: {', '.join(compiled) or 'none'}"

    def api_level(self) -> str:
        """Look for calls that the oldest Android lacks."""
        kotlin.check_api_level(self._classes(*MODULES, "snippets"), self.libraries, self._tools)
        return "nothing newer is called"

    def core_tests(self) -> str:
        """Run the tests that need no Android."""
        return self._run_core({"check.recordings": self._recorded})

    def android_tests(self, jobs: int = 2) -> str:
        """Run the adapters and the screens on Robolectric, the oldest and the newest Android.

        Args:
            jobs: virtual machines at once, 1 GB each.
        """
        pictures = self.work / "pictures"
        begin(pictures)
        own = {"check.recordings": self._recorded, "check.pictures": pictures}

        # A virtual machine for each version: they do not share classes, and a computer has several cores.
        with ThreadPoolExecutor(jobs) as pool:
            return "; ".join(pool.map(lambda sdk: self._run_android(sdk, own), (pins.MIN_SDK, pins.TARGET_SDK)))

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
            [*class_path, *self.libraries["kotlin"], *self.libraries["unit-tests"]],
            properties,
        )

    def _run_android(self, sdk: int, own: Mapping[str, str | Path]) -> str:
        configuration, properties, flags = robolectric(self._linked, self.libraries, self.work)
        tests = ("core-fixtures", *(f"{module}-test" for module in MODULES if module != "core"))
        purposes = ("kotlin", "screen-tests", "executorch", "litert", "framework")
        class_path = [
            *(configuration, self._tools, *self._classes(*tests, *MODULES), self._linked.classes),
            PROJECT / "core/src/test/resources",
            *(PROJECT / module / "src/test/resources" for module in MODULES if module != "core"),
            *(path for purpose in purposes for path in self.libraries[purpose]),
        ]
        names = [n for m in MODULES if m != "core" for n in test_classes(PROJECT / m / "src/test/kotlin")]
        # Before API 26 Robolectric draws nothing; one way for all tests of a version loads its classes once.
        graphics = "NATIVE" if sdk == pins.TARGET_SDK else "LEGACY"
        only = {"robolectric.enabledSdks": str(sdk), "robolectric.graphicsMode": graphics}
        return f"API {sdk}: {run_tests(names, class_path, {**properties, **own, **only}, flags)}"

    def pictures(self, *, update: bool) -> str:
        """See that the tests took every picture; copy them into the project if asked to.

        Raises:
            UserError: one is missing.
        """
        taken = [self.work / "pictures" / f"{name}.png" for name in PICTURES]
        for path in taken:
            if not path.is_file():
                raise UserError(f"no test took {path.name}; is the test of the app that draws it still there?")
        if not update:
            return f"in {self.work / 'pictures'}"
        for path in taken:
            with Image.open(path) as picture:
                size = (_PICTURE_WIDTH, round(picture.height * _PICTURE_WIDTH / picture.width))
                small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            small.save(PROJECT / "pictures" / path.name, optimize=True)
        return f"in {PROJECT / 'pictures'}"

    def dex(self) -> str:
        """Translate the code for phones."""
        classes = [*self._classes(*MODULES), self._linked.classes]
        self._dex = apk.dex_app(classes, self.libraries, self.work)
        return f"{self._dex.stat().st_size / 1e6:.1f} MB"

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
        apk.pack(self._linked.apk, self._dex, native, unsigned, left_out)
        verifier = apk.sign(unsigned, target, self.libraries, self._tools, self.work.parent / "debug.p12")
        apk.inspect(target, self.libraries, pins.ABIS)
        size = f"{target.stat().st_size / 1e6:.1f} MB, {' and '.join(pins.ABIS)}"
        return "; ".join([f"{target}, {size}", f"verified by {verifier} and aapt2", *notes])

    @property
    def _recorded(self) -> Path:
        return self.work / "recordings"

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
