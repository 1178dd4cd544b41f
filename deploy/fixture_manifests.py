"""Manifests for the apps' tests: good ones of every kind of artifact, and broken ones with what is wrong."""

import copy
import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from compress.deploy_form import deploy_form
from compress.fake_quant import QuantGenerator
from compress.one_class import specialise
from deploy.android.artifacts import android_artifacts
from deploy.golden import Golden
from deploy.ios.artifacts import IosExportConfig, ios_artifacts
from deploy.manifest import Entry, describe, input_specs
from deploy.parity import Parity
from deploy.pipeline import Artifact
from deploy.source import ExportSource, Reference
from train.classes import class_names
from train.generator import Generator, GeneratorConfig
from train.snapshot import SnapshotInfo

# As a run on some of BigGAN's classes has them: gaps, several synonyms, two of one name; and one beyond ASCII.
_CLASSES = {index: class_names(1000)[index] for index in (0, 1, 7, 134, 281, 397)} | {300: "Käfer, 甲虫"}
_ONE_CLASS = 281
_GOLDEN_CLASS = 7
_CONFIG = GeneratorConfig(channels=4, image_size=32, num_classes=398, z_dim=16, class_embedding_dim=8)
_SEED = 2**64 - 2  # beyond the signed range, and what follows it wraps

Change = Callable[[dict[str, Any]], None]


def good_manifest() -> dict[str, Any]:
    """Return the manifest of a student with everything that is made for Android and iOS."""
    source = _source(None)
    config = IosExportConfig(model_version="1")
    planned = {a.file: a for a in (*android_artifacts(source, config), *ios_artifacts(source, config))}
    return _manifest(source, [planned[file] for file in sorted(planned)])


def one_class_manifest() -> dict[str, Any]:
    """Return the manifest of a student that draws one class: z is its only input."""
    source = _source(_ONE_CLASS)
    return _manifest(
        source, [a for a in android_artifacts(source, IosExportConfig()) if a.runtime == "executorch"]
    )


def manifest_errors() -> list[dict[str, str]]:
    """Return broken manifests: a name, the text, and the word that the error must contain."""
    good = good_manifest()
    good["artifacts"] = [a for a in good["artifacts"] if a["file"] == "student_fp32.tflite"]
    text = json.dumps(good, ensure_ascii=False)
    broken = [
        {"name": "empty", "field": "manifest.json", "text": ""},
        {"name": "not JSON", "field": "manifest.json", "text": "PK\u0003\u0004"},
        {"name": "cut off", "field": "manifest.json", "text": text[: len(text) // 2]},
        {"name": "a list", "field": "manifest.json", "text": "[]"},
    ]
    for name, field, change in _changes():
        manifest = copy.deepcopy(good)
        change(manifest)
        broken.append({"name": name, "field": field, "text": json.dumps(manifest, ensure_ascii=False)})
    return broken


def _changes() -> list[tuple[str, str, Change]]:
    """Return (name, word that the error must contain, what breaks a good manifest)."""

    def at(path: str, value: Any) -> Change:
        def change(manifest: dict[str, Any]) -> None:
            *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
            inner: Any = manifest
            for key in parents:
                inner = inner[key]
            inner[last] = value

        return change

    def without(path: str) -> Change:
        def change(manifest: dict[str, Any]) -> None:
            *parents, last = path.split("/")
            inner: Any = manifest
            for key in parents:
                inner = inner[int(key) if key.isdigit() else key]
            del inner[last]

        return change

    def twice(manifest: dict[str, Any]) -> None:
        manifest["artifacts"].append(copy.deepcopy(manifest["artifacts"][0]))

    required = ["format", "model", "sampler", "pixels", "golden", "artifacts"]
    required += [f"model/{name}" for name in ("image_size", "z_dim", "num_classes", "classes")]
    required += ["sampler/truncation", "golden/first", "golden/first/seed", "golden/first/files"]
    required += [f"artifacts/0/{name}" for name in ("file", "runtime", "bytes", "sha256", "student", "outputs")]
    image = "artifacts/0/outputs"
    return [
        *((f"no {path}", path.rpartition("/")[2], without(path)) for path in required),
        ("another format", "format", at("format", "tinygan-edge-manifest-2")),
        ("z_dim is text", "z_dim", at("model/z_dim", "128")),
        ("z_dim is 0", "z_dim", at("model/z_dim", 0)),
        ("image size is negative", "image_size", at("model/image_size", -32)),
        ("image size is a fraction", "image_size", at("model/image_size", 32.5)),
        ("no classes left", "classes", at("model/classes", {})),
        ("a class index is a word", "classes", at("model/classes/seven", "a bird")),
        ("a class index is too large", "classes", at("model/classes/398", "a bird")),
        ("a class index is negative", "classes", at("model/classes/-1", "a bird")),
        ("a class name is a number", "classes", at("model/classes/7", 7)),
        ("the one class is unknown", "class", at("model/class", 2)),
        ("another sampler", "sampler", at("sampler/name", "mersenne")),
        ("truncation is 0", "truncation", at("sampler/truncation", 0)),
        ("truncation is above 1", "truncation", at("sampler/truncation", 1.5)),
        ("another pixel rule", "pixels", at("pixels", "byte = round(255 v)")),
        ("the golden seed is negative", "seed", at("golden/first/seed", -1)),
        ("the golden seed needs 65 bits", "seed", at("golden/first/seed", 2**64)),
        ("the golden class is out of range", "class", at("golden/first/class", 398)),
        ("the golden class is unknown", "class", at("golden/first/class", 2)),
        ("a golden file is in another folder", "files", at("golden/first/files/float", "../golden_float.rgb")),
        ("no artifacts left", "artifacts", at("artifacts", [])),
        ("artifacts are no list", "artifacts", at("artifacts", {})),
        ("a file is above the folder", "file", at("artifacts/0/file", "../student_fp32.tflite")),
        ("a file is in a folder", "file", at("artifacts/0/file", "a/student_fp32.tflite")),
        ("a file is anywhere", "file", at("artifacts/0/file", "/student_fp32.tflite")),
        ("a file is behind a backslash", "file", at("artifacts/0/file", "..\\student_fp32.tflite")),
        ("a file is the folder above", "file", at("artifacts/0/file", "..")),
        ("a file has no name", "file", at("artifacts/0/file", "")),
        ("a file is there twice", "file", twice),
        ("bytes are negative", "bytes", at("artifacts/0/bytes", -1)),
        ("bytes are none", "bytes", at("artifacts/0/bytes", 0)),
        ("a hash is cut off", "sha256", at("artifacts/0/sha256", "0a1b")),
        ("a hash is no hash", "sha256", at("artifacts/0/sha256", "x" * 64)),
        ("a student has no golden image", "student", at("artifacts/0/student", "int2")),
        ("inputs are none", "inputs", at("artifacts/0/inputs", [])),
        ("an input is unknown", "inputs", at("artifacts/0/inputs/1/name", "labels")),
        ("an input has another length", "inputs", at("artifacts/0/inputs/0/shape", [1, 128])),
        ("an input is of another type", "inputs", at("artifacts/0/inputs/0/dtype", "int64")),
        ("one class, but class weights", "inputs", at("model/class", _GOLDEN_CLASS)),
        ("outputs are none", "outputs", at("artifacts/0/outputs", [])),
        ("an output has another size", "outputs", at(f"{image}/0/shape", [1, 64, 64, 3])),
        ("an output has four channels", "outputs", at(f"{image}/0/shape", [1, 32, 32, 4])),
        ("an output is of another type", "outputs", at(f"{image}/0/dtype", "float16")),
        ("an output has negative sides", "outputs", at(f"{image}/0/shape", [-1, 32, 32, -3])),
    ]


def _source(class_index: int | None) -> ExportSource:
    """Return a small student; its weights matter to nothing that a manifest says."""
    info = SnapshotInfo(_CONFIG, dict(sorted(_CLASSES.items())), 0.5, "a fixture")
    form = deploy_form(Generator(_CONFIG).eval())
    students: dict[Reference, QuantGenerator] = {"int8": QuantGenerator(form), "int4": QuantGenerator(form)}
    if class_index is not None:
        form = specialise(form, class_index)
        students = {"int8": QuantGenerator(form)}
    files: dict[Reference, str] = {name: _hash(name) for name in ("float", *students)}
    return ExportSource(Path("runs/fixture"), info, form, students, files, class_index)


def _manifest(source: ExportSource, artifacts: list[Artifact]) -> dict[str, Any]:
    config = source.info.generator
    seeds = np.array([_SEED], np.uint64)
    y = np.array([_GOLDEN_CLASS if source.class_index is None else source.class_index])
    image = np.zeros((1, 3, config.image_size, config.image_size), np.float32)
    images: dict[Reference, np.ndarray] = {"float": image, **dict.fromkeys(source.quantized, image)}
    golden = Golden(seeds, np.zeros((1, config.z_dim), np.float32), y, config.num_classes, images)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "golden.npz"
        file.write_bytes(b"golden")
        head = describe(source, golden, file, {name: f"golden_{name}.rgb" for name in images})
    entries = [json.loads(json.dumps(_entry(artifact, source))) for artifact in artifacts]
    return {**head, "artifacts": entries}


def _entry(artifact: Artifact, source: ExportSource) -> dict[str, Any]:
    entry = Entry(
        artifact.file,
        artifact.platforms,
        artifact.runtime,
        artifact.backend,
        artifact.precision,
        1_000_000,
        _hash(artifact.file),
        artifact.reference,
        source.files[artifact.reference],
        input_specs(source),
        (artifact.output,),
        {},
        Parity(artifact.reference, "a fixture", 32, 62.5, 0.0078125, artifact.floor),
        {},
        artifact.options,
        {"torch": "2"},
    )
    return dataclasses.asdict(entry)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
