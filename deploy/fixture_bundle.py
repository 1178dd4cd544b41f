"""Bundles of models for the apps' tests: a good one, what an app finds in it, and what breaks it."""

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

from deploy.bundle import FORMAT, MODELS_FILE, groups_of, numbered_classes
from deploy.fixture_manifests import good_manifest
from deploy.manifest import MANIFEST_FILE
from train.classes import class_names

_KEPT = ("student_fp32.tflite", "student_fp16.mlpackage")  # an artifact for each platform
_BIRDS, _SHARING = (8, 9), (8, 281, 9)  # the teacher's numbers; 281 is in another group

Manifests = dict[str, dict[str, Any]]
Change = Callable[[Manifests], None]


def bundle() -> dict[str, Any]:
    """Return the files of a bundle as texts, its groups and classes, and changes of its files that break it."""
    models = _models()
    groups = groups_of(models)
    classes = [
        {"number": number, "name": name, "group": place, "index": index}
        for place, group in enumerate(groups)
        for (number, name), index in zip(_of(group).items(), _indices(group), strict=True)
    ]
    return {
        "files": _files(models),
        "groups": [list(group) for group in groups],
        "classes": sorted(classes, key=lambda found: found["number"]),
        "errors": _index_errors(models) + _model_errors(),
    }


def _of(group: Manifests) -> dict[int, str]:
    return numbered_classes(next(iter(group.values())))


def _indices(group: Manifests) -> list[int]:
    return [int(index) for index in next(iter(group.values()))["model"]["classes"]]


def _models() -> Manifests:
    """Return a large and a small student of some classes, and one of others, which counts them anew."""
    large = good_manifest()
    large["artifacts"] = [artifact for artifact in large["artifacts"] if artifact["file"] in _KEPT]
    small = copy.deepcopy(large)
    small["model"]["channels"] = 2
    return {"L": large, "birds": _renumbered(large, _BIRDS), "S": _as_student(small, "small")}


def _renumbered(manifest: dict[str, Any], numbers: tuple[int, ...]) -> dict[str, Any]:
    manifest = _as_student(copy.deepcopy(manifest), "birds")
    names = class_names(1000)
    manifest["model"]["num_classes"] = len(numbers)
    manifest["model"]["classes"] = {str(index): names[number] for index, number in enumerate(numbers)}
    manifest["model"]["teacher_classes"] = {str(index): number for index, number in enumerate(numbers)}
    manifest["golden"]["first"]["class"] = 1
    for artifact in manifest["artifacts"]:
        artifact["inputs"][1]["shape"] = [1, len(numbers)]
    return manifest


def _as_student(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    manifest["model"]["sha256"]["float"] = _hash(name)
    return manifest


def _files(models: Manifests) -> dict[str, str]:
    texts = {
        f"{name}/{MANIFEST_FILE}": json.dumps(manifest, ensure_ascii=False) for name, manifest in models.items()
    }
    entries = [{"folder": name, "sha256": _hash(texts[f"{name}/{MANIFEST_FILE}"])} for name in models]
    return {MODELS_FILE: json.dumps({"format": FORMAT, "models": entries}), **texts}


def _index_errors(models: Manifests) -> list[dict[str, Any]]:
    """Return broken indices: a name, the word that the error must contain, and the files that differ."""
    good = _files(models)
    index = json.loads(good[MODELS_FILE])
    first = index["models"][0]

    def of(name: str, word: str, value: Any) -> dict[str, Any]:
        return {"name": name, "word": word, "files": {MODELS_FILE: json.dumps(value)}}

    return [
        {"name": "no JSON", "word": MODELS_FILE, "files": {MODELS_FILE: "PK\u0003\u0004"}},
        of("a list", MODELS_FILE, []),
        of("another format", "format", {**index, "format": "tinygan-edge-models-2"}),
        of("models are not there", "models", {"format": FORMAT}),
        of("models are none", "models", {**index, "models": []}),
        of("a model is a text", "models", {**index, "models": ["L"]}),
        of("a folder is above", "folder", {**index, "models": [{**first, "folder": ".."}]}),
        of("a folder is in another one", "folder", {**index, "models": [{**first, "folder": "a/L"}]}),
        of("a folder is there twice", "folder", {**index, "models": [first, first]}),
        of("a hash is cut off", "sha256", {**index, "models": [{**first, "sha256": "0a1b"}]}),
        {"name": "a manifest is gone", "word": MANIFEST_FILE, "files": {f"S/{MANIFEST_FILE}": None}},
        {
            "name": "a manifest was changed",
            "word": MANIFEST_FILE,
            "files": {f"S/{MANIFEST_FILE}": good[f"L/{MANIFEST_FILE}"]},
        },
    ]


def _model_errors() -> list[dict[str, Any]]:
    """Return bundles of models that do not go together."""

    def at(model: str, path: str, value: Any) -> Change:
        def change(models: Manifests) -> None:
            section, *keys, last = path.split("/")
            inner = models[model][section]
            for key in keys:
                inner = inner[key]
            inner[last] = value

        return change

    def another_size(models: Manifests) -> None:
        models["birds"]["model"]["image_size"] = 64
        for artifact in models["birds"]["artifacts"]:
            output = artifact["outputs"][0]
            output["shape"] = [2 * length if length > len("RGB") else length for length in output["shape"]]

    def another_latent(models: Manifests) -> None:
        models["S"]["model"]["z_dim"] = 8
        for artifact in models["S"]["artifacts"]:
            artifact["inputs"][0]["shape"] = [1, 8]

    def shared_class(models: Manifests) -> None:
        models["birds"] = _renumbered(models["L"], _SHARING)

    cases: list[tuple[str, str, Change]] = [
        ("images of another size", "image_size", another_size),
        ("the same student twice", "same student", at("S", "model/sha256/float", _hash("float"))),
        ("a class in two groups", "class 281", shared_class),
        ("a number with two names", "class 7", at("birds", "model/teacher_classes/1", 7)),
        ("two classes with one number", "teacher_classes", at("birds", "model/teacher_classes/1", 8)),
        ("a number of no class", "teacher_classes", at("birds", "model/teacher_classes/2", 10)),
        ("a size with other latents", "z_dim", another_latent),
        ("a size with another law", "sampler", at("S", "sampler/name", "splitmix64-normal-v1")),
        ("a size with another truncation", "truncation", at("S", "sampler/truncation", 0.25)),
    ]
    errors, good = [], _files(_models())
    for name, word, change in cases:
        models = _models()
        change(models)
        files = {path: text for path, text in _files(models).items() if good[path] != text}
        errors.append({"name": name, "word": word, "files": files})
    return errors


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
