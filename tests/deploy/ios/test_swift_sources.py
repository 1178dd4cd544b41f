"""The Swift package and app, as far as a machine without a Mac can look at them."""

import json
import re
import textwrap
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_swift
import yaml

from benchmarks.phones import app as phone_app
from deploy import bundle, manifest
from deploy.ios import coreml
from deploy.ios.artifacts import IosExportConfig, ios_artifacts
from deploy.source import open_source
from tests.fixtures import __main__ as fixtures
from train import noise

IOS = Path(manifest.__file__).parent / "ios"
ROOT = IOS.parent.parent
PACKAGES = [ROOT / "Package.swift", IOS / "ExecuTorch" / "Package.swift"]
SOURCES = sorted({*PACKAGES, *(path for path in IOS.rglob("*.swift") if ".build" not in path.parts)})
STOPS = ("fatalError", "preconditionFailure", "precondition", "assertionFailure", "assert", "unsafeBitCast")


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect():
    """Nothing here converts, so nothing need wait for coremltools."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(text: str):
    """Every node of a source's syntax tree, with its text and the character before it."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    source = text.encode()
    stack = [parser.parse(source).root_node]
    while stack:
        node = stack.pop()
        before = source[: node.start_byte][-1:].decode("utf-8", "replace")
        yield node, source[node.start_byte : node.end_byte].decode(), before
        stack.extend(node.children)


def syntax_errors(text: str) -> list[str]:
    broken = [node for node, _, _ in nodes(text) if node.is_error or node.is_missing]
    return [f"line {node.start_point[0] + 1}: {node.type}" for node in broken]


def crashes(text: str) -> list[str]:
    """What could end an app: force unwraps, forced casts and tries, implicitly unwrapped types, traps."""
    found = []
    for node, code, before in nodes(text):
        parent = node.parent.type if node.parent else ""
        forced = node.type in ("try_operator", "as_operator") and code.endswith("!")
        # As Swift itself tells a postfix from a prefix: by what it touches.
        unwrapped = node.type in ("bang", "!") and (
            before.isalnum() or before in ("_", ")", "]", "}", '"', ">", "?")
        )
        stops = node.type == "simple_identifier" and code in STOPS and parent == "call_expression"
        if forced or unwrapped or stops:
            found.append(f"line {node.start_point[0] + 1}: {code}")
    return found


def constants(text: str) -> dict[str, str]:
    return dict(re.findall(r'static let (\w+) = "(.*)"', text))


def swift(relative: str) -> str:
    return (IOS / relative).read_text("utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_it_parses(path):
    assert syntax_errors(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text", ["func f( {", "struct A { let b: = 3 }", "let a = [1, 2", "if x { } else else { }"]
)
def test_broken_swift_is_seen(text):
    assert syntax_errors(text)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_in_it_ends_the_app(path):
    assert crashes(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "let a = b!",
        "let a = b?.c!",
        "let a = try! f()",
        "let a = b as! C",
        "var a: Int!",
        "f(a[0]!.c)",
        'fatalError("x")',
    ],
)
def test_what_would_end_the_app_is_seen(text):
    assert crashes(text)
    assert not crashes(
        "let a = !b; let c = d != e; let f = try? g(); let h = i as? J; var k: Int?; m { ![1].n($0) }"
    )


def test_the_core_needs_foundation_alone():
    for path in (IOS / "Sources" / "TinyGANCore").glob("*.swift"):
        text = path.read_text("utf-8").replace("#if canImport(CryptoKit)\nimport CryptoKit\n#endif\n", "")
        assert set(re.findall(r"^\s*(?:@\w+ )?import (\w+)", text, re.M)) <= {"Foundation"}, path


def test_apples_frameworks_are_behind_a_condition():
    for path in [*IOS.glob("Sources/**/*.swift"), *IOS.glob("Tests/**/*.swift")]:
        text = path.read_text("utf-8")
        if re.search(r"import (Core\w+|AVFoundation|ImageIO|UniformTypeIdentifiers|SwiftUI|UIKit)", text):
            assert text.startswith("#if canImport(Core"), path
            assert text.rstrip().endswith("#endif"), path


def test_the_names_are_those_of_the_manifest_and_the_exporters(export_run):
    names = constants(swift("Sources/TinyGANCore/ModelInterface.swift"))
    source = open_source(export_run)
    artifacts = ios_artifacts(source, IosExportConfig(export_run))
    inputs = manifest.input_specs(source)
    outputs = [artifact.output for artifact in artifacts]
    assert [spec.name for spec in inputs] == [names.pop("latentInput"), names.pop("classInput")]
    assert {spec.dtype for spec in inputs} == {names.pop("inputType")}
    assert {spec.name for spec in outputs} == {names.pop("imageOutput")}
    assert {spec.dtype for spec in outputs} == {names.pop("floatOutputType"), names.pop("byteOutputType")}
    assert [artifact.platforms for artifact in artifacts if names["platform"] not in artifact.platforms] == []
    by_runtime = {artifact.runtime: artifact.file.rpartition(".")[2] for artifact in artifacts}
    assert by_runtime.pop(names.pop("coreMLRuntime")) == names["coreMLSuffix"]
    assert by_runtime.pop(names.pop("execuTorchRuntime")) == names.pop("execuTorchSuffix")
    assert by_runtime == {}
    assert f".{names.pop('coreMLSuffix')}" == coreml.SUFFIX
    assert names.pop("manifestFile") == manifest.MANIFEST_FILE
    assert names.pop("manifestFormat") == manifest.FORMAT
    assert (names.pop("modelsFile"), names.pop("modelsFormat")) == (bundle.MODELS_FILE, bundle.FORMAT)
    samplers = {names.pop(name) for name in ("sampler", "normalSampler", "uniformSampler", "sphereSampler")}
    assert samplers == set(noise.SAMPLERS.values())
    assert names.pop("pixelRule") == manifest.PIXEL_RULE
    assert names.pop("platform") == "ios"
    assert names.pop("floatStudent") in source.files
    assert names.pop("execuTorchMethod") == "forward"
    assert names == {}


def test_the_shapes_are_those_that_the_exporters_write(export_run):
    source = open_source(export_run)
    size = str(source.info.generator.image_size)
    validation = swift("Sources/TinyGANCore/ManifestValidation.swift")
    shapes = re.search(r"let shapes = (\[\[.*\]\])", validation)
    assert shapes
    known = json.loads(re.sub(r"\bsize\b", size, shapes[1]))
    written = {artifact.output.shape for artifact in ios_artifacts(source, IosExportConfig(export_run))}
    assert {tuple(shape) for shape in known} >= written
    assert [spec.shape for spec in manifest.input_specs(source)] == [
        (1, length) for length in source.inputs.values()
    ]
    assert "(ModelInterface.latentInput, [1, model.zDim])" in validation
    assert "(ModelInterface.classInput, [1, model.numClasses])" in validation


def test_names_are_written_in_one_place():
    literals = constants(swift("Sources/TinyGANCore/ModelInterface.swift")).items()
    text = {path: path.read_text("utf-8") for path in SOURCES if "Tests" not in path.parts}
    interface = IOS / "Sources" / "TinyGANCore" / "ModelInterface.swift"
    for name, value in literals:
        used = [path for path, code in text.items() if f"ModelInterface.{name}" in code]
        assert used, f"ModelInterface.{name} is used nowhere"
        if name in ("latentInput", "classInput", "manifestFormat", "sampler", "normalSampler", "coreMLSuffix"):
            assert [p for p, code in text.items() if f'"{value}"' in code and p != interface] == []


def test_the_sampler_has_the_numbers_of_python():
    text = swift("Sources/TinyGANCore/Noise.swift")
    for name, expected in (("numerator", noise._NUMERATOR), ("denominator", noise._DENOMINATOR)):
        block = re.search(rf"let {name}: \[Double\] = \[(.*?)\]", text, re.S)
        assert block
        assert tuple(float(number) for number in re.findall(r"-?[\d.]+", block[1])) == expected
    law = swift("Sources/TinyGANCore/Law.swift")
    for name, expected in (("tailNumerator", noise._TAIL_NUMERATOR), ("tailDenominator", noise._TAIL_DENOMINATOR)):
        block = re.search(rf"let {name}: \[Double\] = \[(.*?)\]", law, re.S)
        assert block
        assert tuple(float(number) for number in re.findall(r"-?\d[\d.e-]*", block[1])) == expected
    assert f"ln2 = {noise._LN2}\n" in law
    words = {int(word.replace("_", ""), 16) for word in re.findall(r"0x[0-9A-F_]{8,}", text)}
    assert words == {int(noise._GOLDEN_GAMMA), int(noise._MIX_1), int(noise._MIX_2)}
    assert f"halfMass = {noise._HALF_MASS}\n" in text
    assert f"static let floor = {fixtures.GOLDEN_FLOOR}\n" in swift("Sources/TinyGANCore/Golden.swift")


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_every_target_has_its_folder(package):
    text = package.read_text("utf-8")
    assert text.startswith("// swift-tools-version: 6.0\n")
    named = re.findall(r'\.(?:target|executableTarget|testTarget)\(\s*name: "(\w+)"', text)
    home = IOS if package.parent == ROOT else package.parent
    folders = sorted(path for kind in ("Sources", "Tests") for path in (home / kind).glob("*") if path.is_dir())
    assert sorted(named) == sorted(path.name for path in folders)
    if home == IOS:
        assert sorted(re.findall(r'path: "([^"]+)"', text)) == [str(path.relative_to(ROOT)) for path in folders]
    for product in re.findall(r"targets: \[([^\]]*)\]\)", text):
        assert set(re.findall(r'"(\w+)"', product)) <= set(named)
    for local in re.findall(r'package\(name: "TinyGAN", path: "([^"]+)"\)', text):
        assert (package.parent / local).resolve() == ROOT


def test_linux_never_sees_executorch():
    assert "executorch" not in (ROOT / "Package.swift").read_text("utf-8").lower()
    assert not any("import ExecuTorch" in path.read_text("utf-8") for path in IOS.glob("Sources/**/*.swift"))


def test_the_executorch_runtime_is_of_the_exporters_version():
    pinned = re.search(r"^executorch==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned
    assert f'branch: "swiftpm-{pinned[1]}"' in swift("ExecuTorch/Package.swift")


def test_the_project_names_what_is_there():
    app = IOS / "App"
    project = yaml.safe_load((app / "project.yml").read_text())
    package = (ROOT / "Package.swift").read_text("utf-8")
    products = set(re.findall(r'\.library\(name: "(\w+)"', package))
    oldest = re.search(r"\.iOS\(\.v(\d+)\)", package)
    assert oldest
    assert project["options"]["deploymentTarget"]["iOS"] == f"{oldest[1]}.0"
    assert all((app / entry["path"] / "Package.swift").is_file() for entry in project["packages"].values())
    for target in project["targets"].values():
        for entry in target["sources"]:
            path = app / (entry["path"] if isinstance(entry, dict) else entry)
            assert path.is_file() or any(path.iterdir()), path
        for dependency in target["dependencies"]:
            assert dependency.get("target", "TinyGAN") in project["targets"]
            assert dependency.get("package") is None or dependency["package"] in project["packages"]
            assert dependency.get("product") is None or dependency["product"] in products
    (script,) = project["targets"]["TinyGAN"]["postCompileScripts"]
    file = app / re.fullmatch(r'"\$SRCROOT/([\w.]+)"', script["script"])[1]
    assert file.stat().st_mode & 0o111
    for scheme in project["schemes"].values():
        assert set(scheme["build"]["targets"]) <= project["targets"].keys()
    json.loads((app / "Resources" / "Localizable.xcstrings").read_text())


def test_each_compute_unit_has_a_performance_test():
    cases = re.findall(r"case (\w+)", swift("Sources/TinyGANCore/ComputeUnits.swift").split("public var id")[0])
    measured = re.findall(r"measureImages\(on: \.(\w+)\)", swift("App/Tests/PerformanceTests.swift"))
    assert measured == cases


def test_the_screen_stays_on_for_as_long_as_the_app_measures():
    body = swift("App/Sources/BenchmarkRunner.swift").split("task = Task {\n")[1]
    first, second = [line.strip() for line in body.splitlines() if not line.strip().startswith("//")][:2]
    assert first == "UIApplication.shared.isIdleTimerDisabled = true"
    assert second == f"defer {{ {first.replace('true', 'false')} }}", "however it ends"


def test_the_report_has_the_names_that_the_benchmarks_read():
    report = swift("Sources/TinyGANCore/BenchmarkReport.swift")
    assert f'currentFormat = "{phone_app.FORMAT}"' in report
    names = set(re.findall(r'= "(\w+)"', report)) | set(
        re.findall(r"\w+", *re.findall(r"case (artifact, .*)", report))
    )
    for name in (
        "artifact",
        "sha256",
        "load_ms",
        "first_run_ms",
        "latency_ms",
        "peak_memory_bytes",
        "conditions",
        "model_sha256",
    ):
        assert name in names
    assert set(re.findall(r"public let (\w+):", swift("Sources/TinyGANCore/Statistics.swift"))) == set(
        phone_app._LATENCY
    )


def test_the_readme_quotes_what_is_compiled():
    parts = swift("Sources/tinygan/Draw.swift").split("    // [README]\n")
    assert len(parts) == 3
    assert textwrap.dedent(parts[1]) in swift("README.md")
