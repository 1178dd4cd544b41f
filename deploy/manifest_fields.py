"""Whether the fields of a manifest are there and make sense: what is wrong is found here, not where it is used."""

from pathlib import Path
from typing import Any

from train.errors import UserError
from train.noise import SAMPLERS

PIXEL_RULE = "byte = trunc(clamp(127.5 v + 128, 0, 255)), NaN -> 0"

_MODEL = {
    "architecture": str,
    "channels": int,
    "image_size": int,
    "z_dim": int,
    "num_classes": int,
    "classes": dict,
    "trained_from": str,
    "sha256": dict,
}
_SECTIONS = {"model": dict, "sampler": dict, "pixels": str, "golden": dict, "artifacts": list}
_ARTIFACT = {
    "file": str,
    "platforms": list,
    "runtime": str,
    "backend": str,
    "precision": str,
    "bytes": int,
    "sha256": str,
    "student": str,
    "student_sha256": str,
    "inputs": list,
    "outputs": list,
    "outside_delegate": dict,
    "parity": dict,
    "options": dict,
    "tools": dict,
}


def check_fields(manifest: dict[str, Any], path: Path) -> None:
    """Check model, sampler, pixel rule, golden images and artifacts of a manifest.

    Args:
        manifest: of the right format.
        path: where it was read, for the messages.

    Raises:
        UserError: a field is missing, of the wrong type or out of range.
    """
    try:
        for name in _SECTIONS:
            if name not in manifest:
                raise ValueError(f"there is no {name}")
        _check_types(manifest, _SECTIONS, "the manifest")
        _check_model(manifest["model"])
        _check_drawing(manifest)
        _check_golden(manifest["golden"], manifest["model"])
        _check_artifacts(manifest["artifacts"])
    except ValueError as error:
        raise UserError(f"{path}: {error}; export again") from None


def _check_types(holder: dict[str, Any], kinds: dict[str, type], owner: str) -> None:
    for name, kind in kinds.items():
        value = holder.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{name} of {owner} is missing or no {kind.__name__}")


def _check_model(model: dict[str, Any]) -> None:
    _check_types(model, _MODEL, "the model")
    for name, kind in _MODEL.items():
        if kind is int and model[name] < 1:
            raise ValueError(f"{name} of the model is {model[name]}, not at least 1")
    known = {str(index) for index in range(model["num_classes"])}
    for index, name in model["classes"].items():
        if index not in known or not isinstance(name, str):
            raise ValueError(
                f"classes of the model has {index!r}: {name!r}, no name of one of {len(known)} classes"
            )
    if not model["classes"]:
        raise ValueError("classes of the model is empty")
    _check_teacher_classes(model)
    if "class" not in model:
        raise ValueError("class of the model is missing")
    if model["class"] is not None:
        _check_class(model["class"], model, "model")
    _check_types(model["sha256"], {name: str for name in ("float", *model["sha256"])}, "the model's sha256")


def _check_teacher_classes(model: dict[str, Any]) -> None:
    numbers = model.get("teacher_classes", {})  # older manifests have none
    if not isinstance(numbers, dict):
        raise ValueError("teacher_classes of the model is no dict")
    for index, number in numbers.items():
        if index not in model["classes"] or type(number) is not int or number < 0:
            raise ValueError(f"teacher_classes of the model has {index!r}: {number!r}, no number of a class")
    if len({numbers.get(index, int(index)) for index in model["classes"]}) < len(model["classes"]):
        raise ValueError("teacher_classes of the model gives two classes one number")


def _check_class(index: Any, model: dict[str, Any], owner: str) -> None:
    if not isinstance(index, int) or isinstance(index, bool) or str(index) not in model["classes"]:
        raise ValueError(f"class of the {owner} is {index!r}, which is none of the model's classes")


def _check_drawing(manifest: dict[str, Any]) -> None:
    """Check what turns a seed into a latent, and values into bytes."""
    sampler = manifest["sampler"]
    known = SAMPLERS.values()
    if sampler.get("name") not in known:
        raise ValueError(f"the sampler is {sampler.get('name')!r}, not one of {', '.join(known)}")
    truncation = sampler.get("truncation")
    if not isinstance(truncation, int | float) or isinstance(truncation, bool) or not 0 < truncation <= 1:
        raise ValueError(f"truncation of the sampler is {truncation!r}, not above 0 and at most 1")
    if manifest["pixels"] != PIXEL_RULE:
        raise ValueError(f"pixels is {manifest['pixels']!r}, not {PIXEL_RULE!r}")


def _check_golden(golden: dict[str, Any], model: dict[str, Any]) -> None:
    _check_types(golden, {"file": str, "sha256": str, "first": dict}, "golden")
    first = golden["first"]
    _check_types(first, {"seed": int, "files": dict}, "golden's first image")
    if not 0 <= first["seed"] < 2**64:
        raise ValueError(f"seed of golden's first image is {first['seed']}, not of 64 bits without sign")
    _check_class(first.get("class"), model, "golden image")
    for file in (golden["file"], *first["files"].values()):
        if not _is_plain(file):
            raise ValueError(f"files of golden has {file!r}, no name of a file beside the manifest")


def _check_artifacts(artifacts: list[Any]) -> None:
    files = set()
    for artifact in artifacts:
        if not isinstance(artifact, dict):
            raise ValueError(f"artifacts has {artifact!r}, no object")
        file = artifact.get("file", "an artifact without file")
        _check_types(artifact, _ARTIFACT, str(file))
        if not _is_plain(file) or file in files:
            raise ValueError(f"file of an artifact is {file!r}, no name of its own beside the manifest")
        if artifact["bytes"] < 1:
            raise ValueError(f"bytes of {file} is {artifact['bytes']}, not at least 1")
        files.add(file)


def _is_plain(name: Any) -> bool:
    """Return whether a name leads to no other folder: what it names may be deleted."""
    return isinstance(name, str) and name not in ("", ".", "..") and not {"/", "\\"} & set(name)
