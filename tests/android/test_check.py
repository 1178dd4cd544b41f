"""The Python side of the Android check; the check itself is `python -m tests.android`."""

import platform
import re
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.android import __main__ as command
from tests.android import apk, kotlin, pictures, pins, recordings, shrink, tools
from tests.android.alignment import PAGE, load_alignment, misaligned
from tests.android.catalog import PROJECT, read_catalog
from tests.android.gradle_files import check_brackets, check_gradle, included_modules
from tests.android.jvm_tests import test_classes as find_test_classes
from tests.android.libraries import Libraries
from tests.android.native import java_names, missing_before
from tests.android.resources import APPLICATION, Resources, complete_manifest
from tests.android.snippets import QUOTED, check_snippets
from tests.android.steps import Check
from train.errors import UserError


def elf(path: Path, *segments: tuple[int, int, int, int], word_size: int = 2) -> Path:
    """Write a 64-bit ELF file with program headers of (type, offset, address, alignment)."""
    head = struct.pack(
        "<4sBB10xHHI3QIHHHHHH", b"\x7fELF", word_size, 1, 3, 183, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    table = b"".join(
        struct.pack("<II6Q", kind, 5, off, addr, addr, 9, 9, align) for kind, off, addr, align in segments
    )
    path.write_bytes(head + table)
    return path


class TestAlignment:
    def test_the_smallest_load_segment_counts(self, tmp_path: Path) -> None:
        library = elf(tmp_path / "a.so", (1, 0, 0, PAGE), (6, 64, 64, 8), (1, 0x5000, 0x15000, 0x10000))
        assert load_alignment(library) == PAGE
        library = elf(tmp_path / "b.so", (1, 0, 0, PAGE), (1, 0x1000, 0x2000, 0x1000))
        assert load_alignment(library) == 4096

    def test_a_stated_alignment_that_is_not_kept_does_not_count(self, tmp_path: Path) -> None:
        assert load_alignment(elf(tmp_path / "a.so", (1, 0x1000, 0x2000, PAGE))) == 4096

    @pytest.mark.parametrize("content", [b"", b"MZ" + bytes(100), b"\x7fELF"])
    def test_what_is_no_library_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.so").write_bytes(content)
        with pytest.raises(UserError, match=r"no .*ELF file"):
            load_alignment(tmp_path / "a.so")

    def test_32_bit_and_empty_libraries_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no 64-bit"):
            load_alignment(elf(tmp_path / "a.so", (1, 0, 0, PAGE), word_size=1))
        with pytest.raises(UserError, match="no LOAD segment"):
            load_alignment(elf(tmp_path / "b.so", (6, 0, 0, PAGE)))

    def test_libraries_are_sorted_by_readiness(self, tmp_path: Path) -> None:
        ready = elf(tmp_path / "ready.so", (1, 0, 0, PAGE))
        unfit = elf(tmp_path / "unfit.so", (1, 0, 0, 4096))
        assert apk.ready_for_16_kb([ready, unfit]) == ([ready], {unfit: 4096})


def library(path: Path, undefined: list[str], needed: list[str], words: list[str] = []) -> Path:  # noqa: B006
    """Write a 64-bit ELF file with dynamic symbols, names of libraries and other strings."""
    names = b"\0"
    places = {}
    for name in (*undefined, *needed):
        places[name] = len(names)
        names += name.encode() + b"\0"
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", places[n], 0x12, 0, 0, 0, 0) for n in undefined)
    dynamic = b"".join(struct.pack("<2Q", 1, places[n]) for n in needed) + bytes(16)
    text = b"".join(b"\0" + word.encode() for word in words) + b"\0"
    parts, offset, body = [], 64, b""
    for kind, link, content in ((3, 0, names), (11, 0, symbols), (6, 0, dynamic), (1, 0, text)):
        parts.append(struct.pack("<2I4Q2I2Q", 0, kind, 0, 0, offset + len(body), len(content), link, 0, 8, 0))
        body += content
    head = struct.pack(
        "<4sBB10xHHI3QIHHHHHH", b"\x7fELF", 2, 1, 3, 183, 1, 0, 0, 64 + len(body), 0, 64, 56, 0, 64, len(parts), 0
    )
    path.write_bytes(head + body + b"".join(parts))
    return path


class TestNativeLibraries:
    def test_functions_newer_than_the_oldest_android_are_found(self, tmp_path: Path) -> None:
        path = library(tmp_path / "liba.so", ["malloc", "strtod_l", "aligned_alloc"], ["libc.so", "libb.so"])
        assert missing_before(path, 24, {"libb.so"}) == [
            "liba.so calls strtod_l, which came with API 26",
            "liba.so calls aligned_alloc, which came with API 28",
        ]
        assert missing_before(path, 28, {"libb.so"}) == []
        assert missing_before(path, 28, set()) == ["liba.so needs libb.so, which API 28 and the app lack"]

    def test_names_of_java_are_read(self, tmp_path: Path) -> None:
        words = ["com/facebook/jni/HybridData", "Lorg/pytorch/executorch/EValue;", "mData", "two words"]
        classes, members = java_names(library(tmp_path / "liba.so", [], [], words))
        assert classes == {"com.facebook.jni.HybridData", "org.pytorch.executorch.EValue"}
        assert "mData" in members and "two" not in members


class TestShrinking:
    MAPPING = (
        "# compiler: R8\na.b.Kept -> a.b.Kept:\n    1:3:void run(int) -> run\n"
        "    int count -> a\na.b.Moved -> a.c:\n"
    )

    def test_the_mapping_and_the_usage_are_read(self) -> None:
        renamed, members = shrink._read_mapping(self.MAPPING)
        assert renamed == {"a.b.Kept": "a.b.Kept", "a.b.Moved": "a.c"}
        assert members == {"a.b.Kept": {"run": "run", "count": "a"}}
        usage = shrink._read_usage("a.b.Gone\na.b.Kept:\n    private int[] field\n    4:5:void lost(int,long)\n")
        assert usage == {"a.b.Gone": set(), "a.b.Kept": {"field", "lost"}}

    @pytest.mark.parametrize(
        ("left", "message"),
        [
            (({}, {}, {}), "R8 made nothing of it"),
            (({"com.facebook.jni.A": "a.a"}, {}, {}), "R8 made a.a of it"),
            (({"com.facebook.jni.A": "com.facebook.jni.A"}, {"com.facebook.jni.A": {"run": "a"}}, {}), r"A\.run"),
            (({"com.facebook.jni.A": "com.facebook.jni.A"}, {}, {"com.facebook.jni.A": {"load"}}), r"A\.load"),
            (({"com.facebook.jni.A": "com.facebook.jni.A"}, {}, {"com.facebook.jni.A": {"other"}}), None),
        ],
    )
    def test_what_native_code_would_miss_is_named(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        left: tuple[dict[str, str], dict[str, dict[str, str]], dict[str, set[str]]],
        message: str | None,
    ) -> None:
        native = library(tmp_path / "liba.so", [], [], ["com/facebook/jni/A", "run"])
        monkeypatch.setattr(shrink, "_members", lambda name, _: ({"run", "load", "other"}, {"load"}))
        shrunk = shrink.Shrunk(Path(), *left)
        if message is None:
            assert shrink.check_native_names(shrunk, [native], []) == 1
            return
        with pytest.raises(UserError, match=message):
            shrink.check_native_names(shrunk, [native], [])


class TestPacking:
    @pytest.fixture
    def linked(self, tmp_path: Path) -> Path:
        path = tmp_path / "linked.apk"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (
                "AndroidManifest.xml",
                "resources.arsc",
                "assets/tinygan/a.pte",
                "assets/tinygan/a.tflite",
            ):
                archive.writestr(name, name * 7)
        return path

    def pack(self, linked: Path, *left_out: str) -> Path:
        library, dex = linked.parent / "liba.so", linked.parent / "classes.dex"
        library.write_bytes(b"library" * 3000)
        dex.write_bytes(b"dex")
        target = linked.parent / "app.apk"
        apk.pack(linked, dex, {"arm64-v8a": [library], "x86_64": [library]}, target, left_out)
        return target

    def test_what_is_mapped_is_stored_on_its_boundary(self, linked: Path) -> None:
        target = self.pack(linked)
        assert misaligned(target) == []
        with zipfile.ZipFile(target) as archive:
            assert archive.testzip() is None
            kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
            assert archive.read("assets/tinygan/a.pte") == b"assets/tinygan/a.pte" * 7
        stored = {name for name, kind in kinds.items() if kind == zipfile.ZIP_STORED}
        libraries = {"lib/arm64-v8a/liba.so", "lib/x86_64/liba.so"}
        assert stored == {"resources.arsc", "assets/tinygan/a.pte", "assets/tinygan/a.tflite", *libraries}
        assert kinds["classes.dex"] == zipfile.ZIP_DEFLATED

    def test_the_same_input_gives_the_same_bytes(self, linked: Path) -> None:
        first = self.pack(linked).read_bytes()
        assert self.pack(linked).read_bytes() == first

    def test_a_backend_can_be_left_out(self, linked: Path) -> None:
        with zipfile.ZipFile(self.pack(linked, ".tflite")) as archive:
            assert "assets/tinygan/a.tflite" not in archive.namelist()
            assert "assets/tinygan/a.pte" in archive.namelist()

    def test_misaligned_and_compressed_entries_are_found(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bad.apk", "w") as archive:
            archive.writestr("lib/x86_64/liba.so", b"library")
            archive.writestr("assets/a.pte", b"model", zipfile.ZIP_DEFLATED)
            archive.writestr("classes.dex", b"dex", zipfile.ZIP_DEFLATED)
        problems = misaligned(tmp_path / "bad.apk")
        assert len(problems) == 2
        assert "liba.so begins at 48" in problems[0]
        assert "a.pte is compressed" in problems[1]

    def test_the_installer_reads_what_it_must(self, linked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        libraries = Libraries({}, {}, Path(), Path("aapt2"))
        badging = [
            f"package: name='{APPLICATION}' versionCode='1'",
            "minSdkVersion:'24'",
            "targetSdkVersion:'36'",
            "launchable-activity: name='x'",
            "native-code: 'arm64-v8a' 'x86_64'",
        ]
        target = self.pack(linked)
        monkeypatch.setattr(apk, "run_tool", lambda *_: "\n".join(badging))
        assert apk.inspect(target, libraries, pins.ABIS) == badging[0]
        badging[1] = "minSdkVersion:'21'"
        with pytest.raises(UserError, match="minSdkVersion:'24'"):
            apk.inspect(target, libraries, pins.ABIS)


class TestGradleFiles:
    def test_modules_are_found(self) -> None:
        assert included_modules('include(":core", ":app")\ninclude(":litert")') == ["core", "app", "litert"]

    def test_a_catalog_is_read_with_its_references(self, tmp_path: Path) -> None:
        path = tmp_path / "libs.versions.toml"
        path.write_text(
            '[versions]\njunit = "4"\n[libraries]\njunit = { module = "junit:junit", version.ref = "junit" }\n'
            'other = { group = "a.b", name = "c", version = "2" }\n[plugins]\np = { id = "x.y", version = "3" }\n'
        )
        catalog = read_catalog(path)
        assert catalog["libraries"] == {"junit": "junit:junit:4", "other": "a.b:c:2"}
        assert catalog["plugins"] == {"p": "x.y:3"}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[versions", "cannot be read"),
            ('[libraries]\na = { module = "b:c", version.ref = "d" }', "version 'd', which is not there"),
            ('[libraries]\na = { module = "b:c" }', "has no version"),
            ('[libraries]\na = { group = "b", version = "1" }', "names no module"),
        ],
    )
    def test_a_broken_catalog_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "libs.versions.toml").write_text(text)
        with pytest.raises(UserError, match=message):
            read_catalog(tmp_path / "libs.versions.toml")

    def test_brackets_in_strings_and_comments_do_not_count(self) -> None:
        check_brackets('a { b("}") // )\n /* ( */ c["""("""] }', "build.gradle.kts")

    @pytest.mark.parametrize("text", ["a {\n b(\n}", "a }", "a { ( }"])
    def test_brackets_that_do_not_match_are_refused(self, text: str) -> None:
        with pytest.raises(UserError, match=r"build\.gradle\.kts, line \d"):
            check_brackets(text, "build.gradle.kts")

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """Copy the Gradle files of the app."""
        for path in PROJECT.rglob("*"):
            relative = path.relative_to(PROJECT)
            if path.suffix in (".kts", ".toml", ".properties", ".pro", ".jar"):
                (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, tmp_path / relative)
        return tmp_path

    def test_the_build_agrees_with_the_pins(self, project: Path) -> None:
        assert check_gradle(project).startswith("4 modules")

    def test_the_readme_exports_beside_the_users_runs_to_where_the_build_looks(self) -> None:
        script = (PROJECT / "app/build.gradle.kts").read_text("utf-8")
        (names,) = re.findall(
            r'artifacts = listOf\((.*)\)\.map { rootProject\.file\("../../runs/\$it/artifacts"\)', script
        )
        looked = [f"runs/{name}/artifacts" for name in re.findall(r'"(\w+)"', names)]
        readme = (PROJECT / "README.md").read_text("utf-8")
        assert re.findall(r"export\.py .*--out (\S+)", readme) == [looked[-1]], "the user's own models come first"
        # An export removes what another model left in its folder.
        assert looked[-1] not in ("runs/digits/artifacts", "runs/animals64/artifacts")

    @pytest.mark.parametrize(
        ("file", "old", "new", "message"),
        [
            ("gradle/libs.versions.toml", '"junit:junit"', '"junit:other"', "which the check does not fetch"),
            ("settings.gradle.kts", ":litert", ":tflite", "the check builds"),
            ("app/build.gradle.kts", "versionCode = libs", "versionCode = 2 // libs", "does not say versionCode"),
            ("app/build.gradle.kts", "minSdk =", "minimumSdk =", "does not say minSdk"),
            ("app/build.gradle.kts", "isMinifyEnabled = true", "isMinifyEnabled = false", "isMinifyEnabled"),
            ("app/build.gradle.kts", "signingConfig =", "signing =", "does not sign release builds"),
            ("example/app/build.gradle.kts", "compileSdk = 36", "compileSdk = 35", "does not say compileSdk"),
            ("core/build.gradle.kts", "libs.", "libs.x.", "which .* does not have"),
            ("litert/build.gradle.kts", '":core"', '":executorch"', "depends on"),
        ],
    )
    def test_a_build_that_differs_is_refused(
        self, project: Path, file: str, old: str, new: str, message: str
    ) -> None:
        path = project / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError, match=message):
            check_gradle(project)


class TestSnippets:
    def test_the_readme_quotes_the_example(self) -> None:
        assert check_snippets(PROJECT) == len(QUOTED)

    def test_a_changed_quotation_is_refused(self, tmp_path: Path) -> None:
        for name in QUOTED:
            (tmp_path / "example" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "example" / name).write_text(f"// {name}\n")
        blocks = "".join(f"```kotlin\n// {name}\n```\n" for name in QUOTED)
        (tmp_path / "README.md").write_text(blocks)
        assert check_snippets(tmp_path) == len(QUOTED)
        (tmp_path / "README.md").write_text(blocks.replace("// app/build", "// app/other"))
        with pytest.raises(UserError, match=r"does not quote app/build\.gradle\.kts"):
            check_snippets(tmp_path)


class TestManifest:
    def test_what_the_gradle_plugin_adds_is_added(self) -> None:
        text = complete_manifest(PROJECT / "app/src/main/AndroidManifest.xml")
        assert f'package="{APPLICATION}.app"' in text
        assert 'android:minSdkVersion="24"' in text and 'android:targetSdkVersion="36"' in text
        assert "${" not in text

    def test_a_package_in_the_source_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "AndroidManifest.xml").write_text('<manifest package="a.b" />')
        with pytest.raises(UserError, match="states a package"):
            complete_manifest(tmp_path / "AndroidManifest.xml")


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.usefixtures("linux")
class TestTools:
    def test_another_machine_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")
        with pytest.raises(tools.UnavailableError, match="this is Linux aarch64"):
            tools.need_programs()

    def test_a_missing_program_is_named_with_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda program: None if program == "mvn" else program)
        with pytest.raises(tools.UnavailableError, match="mvn is not installed; apt-get install maven"):
            tools.need_programs()

    def test_the_oldest_java_that_will_do_is_found(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("17", "21", "25"):
            (tmp_path / name / "bin").mkdir(parents=True)
            (tmp_path / name / "bin/java").touch()
        monkeypatch.setattr(tools, "_JAVA_FOLDER", tmp_path)
        monkeypatch.setattr(shutil, "which", lambda _: str(tmp_path / "17/bin/java"))
        monkeypatch.setattr(tools, "java_version", lambda program: int(Path(program).parents[1].name))
        assert tools.find_java(21) == (tmp_path / "21/bin/java").resolve()
        assert tools.find_java(26) is None

    @pytest.mark.parametrize(
        ("said", "old"), [('openjdk version "17.0.1"', False), ('java version "1.8.0_9"', True)]
    )
    def test_an_old_java_is_refused(self, monkeypatch: pytest.MonkeyPatch, said: str, old: bool) -> None:
        monkeypatch.setattr(shutil, "which", lambda program: program)
        monkeypatch.setattr(tools, "run_tool", lambda *_: said)
        if not old:
            tools.need_programs()
            return
        with pytest.raises(tools.UnavailableError, match="17 or newer"):
            tools.need_programs()

    def test_without_java_the_check_skips_aloud_or_fails(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda _: None)
        command.main(["--skip-if-unavailable", "--cache", str(tmp_path)])
        assert capsys.readouterr().out.startswith("SKIPPED: the Android app is not compiled")
        with pytest.raises(tools.UnavailableError):
            command.main(["--cache", str(tmp_path)])

    def test_a_failing_program_says_what_it_said(self) -> None:
        with pytest.raises(tools.ToolError, match=r"it fails \(sh exited with 3\)") as failure:
            tools.run_tool(["sh", "-c", "echo why; exit 3"], "it fails")
        assert failure.value.output == "why\n"

    def test_a_digest_follows_names_and_contents(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("1")
        first = tools.digest("x", tmp_path)
        assert tools.digest("x", tmp_path) == first
        (tmp_path / "a").write_text("2")
        second = tools.digest("x", tmp_path)
        (tmp_path / "a").rename(tmp_path / "b")
        assert len({first, second, tools.digest("x", tmp_path), tools.digest("y", tmp_path)}) == 4

    def test_an_unfinished_folder_is_made_again(self, tmp_path: Path) -> None:
        folder = tmp_path / "made"
        tools.begin(folder)
        assert not tools.is_made(folder, "key")
        tools.finish(folder, "key")
        assert tools.is_made(folder, "key") and not tools.is_made(folder, "other")


class TestKotlin:
    def test_test_classes_are_found_by_their_file(self, tmp_path: Path) -> None:
        (tmp_path / "ATest.kt").write_text("package a.b\n\nclass ATest\n")
        (tmp_path / "Helper.kt").write_text("package a.b\n")
        assert find_test_classes(tmp_path) == ["a.b.ATest"]

    def test_every_module_sees_only_what_it_may(self) -> None:
        purposes = dict.fromkeys(pins.CLASS_PATHS, (Path("x.jar"),)) | {"framework": (Path("android.jar"),)}
        libraries = Libraries(purposes, {}, Path(), Path())
        units = {unit.name: unit for unit in kotlin.units(PROJECT, libraries, Path("R"))}
        assert Path("android.jar") not in units["core"].libraries and units["core"].modules == ()
        assert units["executorch"].modules == ("core",) and units["litert"].modules == ("core", "litert-2")
        assert Path("R") not in units["litert"].libraries
        assert {unit.friend for name, unit in units.items() if name.endswith("-test")} == {
            "core",
            "executorch",
            "litert",
            "app",
        }
        assert all(unit.sources.is_dir() for unit in units.values())

    def test_only_what_changed_is_compiled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = {name: tmp_path / name / "kotlin" for name in "abc"}
        for path in sources.values():
            path.mkdir(parents=True)
            (path / "A.kt").write_text("1")
        chosen = [
            kotlin.Unit("a", sources["a"], (), ()),
            kotlin.Unit("b", sources["b"], ("a",), ()),
            kotlin.Unit("c", sources["c"], (), ()),
        ]
        libraries = Libraries(dict.fromkeys(pins.CLASS_PATHS, ()), {}, Path(), Path())
        calls: list[list[str]] = []

        def compiler(words: list[str | Path], _: str) -> str:
            calls.append(list(map(str, words)))
            if broken in calls[-1]:
                raise tools.ToolError("it does not compile", "compiled a\nerror\n")
            return "".join(
                f"compiled {calls[-1][k + 1]}\n" for k, w in enumerate(calls[-1]) if w == "-module-name"
            )

        broken = "nothing"
        monkeypatch.setattr(kotlin, "run_tool", compiler)
        work = tmp_path / "work"
        assert kotlin.compile_units(chosen, libraries, work) == ["a", "b", "c"]
        assert "-Werror" in calls[-1] and calls[-1].count("--") == 2
        assert kotlin.compile_units(chosen, libraries, work) == []
        (sources["a"] / "A.kt").write_text("2")
        assert kotlin.compile_units(chosen, libraries, work) == ["a", "b"]
        (sources["a"] / "A.kt").write_text("3")
        broken = "b"
        with pytest.raises(tools.ToolError):
            kotlin.compile_units(chosen, libraries, work)
        broken = "nothing"
        assert kotlin.compile_units(chosen, libraries, work) == ["b"], "what compiled before the error stays"

    def test_what_has_passed_on_android_runs_again_only_when_it_has_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = Check(tmp_path, Libraries(dict.fromkeys(pins.CLASS_PATHS, ()), {}, Path(), Path()), None)
        apk_file, manifest = tmp_path / "linked.apk", tmp_path / "AndroidManifest.xml"
        check._tools = tmp_path / "tools"
        check._resources = Resources(apk_file, manifest, tmp_path / "classes", tmp_path / "rules")
        apk_file.write_text("1")
        failing, ran = False, []

        def run(_: Check, sdk: int, own: object) -> str:
            ran.append(sdk)
            if failing:
                raise tools.ToolError("a test failed", "")
            return f"API {sdk}: 3 tests, 0 failed"

        monkeypatch.setattr(Check, "_run_android", run)
        assert "nothing has changed" not in check.android_tests(jobs=1)
        assert check.android_tests().endswith("; since then nothing has changed") and len(ran) == 2
        apk_file.write_text("2")
        failing = True
        with pytest.raises(tools.ToolError):
            check.android_tests(jobs=1)
        failing = False
        assert "nothing has changed" not in check.android_tests(jobs=1)


class TestPictures:
    def test_the_readme_shows_each(self) -> None:
        readme = (PROJECT / "README.md").read_text("utf-8")
        assert sorted(re.findall(r"pictures/(\w+)\.jpg", readme)) == sorted(pictures.SHOWN)

    def test_smaller_copies_are_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pictures, "FOLDER", tmp_path)
        for name in pictures.SHOWN:
            Image.new("RGBA", (960, 200), "red").save(tmp_path / f"{name}.png")
        pictures.show(pictures.find_pictures(tmp_path))
        with Image.open(tmp_path / "main.jpg") as shown:
            assert shown.size == (480, 100)
        (tmp_path / "race.png").unlink()
        with pytest.raises(UserError, match=r"no test took race\.png"):
            pictures.find_pictures(tmp_path)


class TestRecordings:
    def test_the_morphs_are_those_of_the_app(self) -> None:
        start, end = np.float32([0.1, -1]), np.float32([0.7, 2])
        middle = recordings._between(start, end, 0.25)
        assert middle.dtype == np.float32
        np.testing.assert_array_equal(recordings._between(start, end, 0), start)
        np.testing.assert_array_equal(recordings._between(start, end, 1), end)
        np.testing.assert_allclose(middle, [0.25, -0.25], rtol=1e-6)
