"""Put several exported models into one folder, from which an app draws with all of them.

    python deploy/bundle.py runs/cats/artifacts runs/dogs/artifacts --out runs/pets/bundle

Models are of one group if they draw the same classes: students of several sizes, of which a user chooses one.
Groups share no class. Each model keeps its manifest in a folder of its own, and `models.json` lists the folders.
"""

import dataclasses
import itertools
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from deploy.manifest import MANIFEST_FILE, read_manifest
from deploy.package_files import content_hash
from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_writable, file_hash, write_folder_atomically, write_json
from train.photo_sets import visible

MODELS_FILE = "models.json"
FORMAT = "tinygan-edge-models-1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LISTED = 5  # classes in a message


@dataclasses.dataclass(frozen=True)
class BundleConfig:
    """What goes together, and where."""

    artifacts: tyro.conf.Positional[tuple[Path, ...]]
    """Folders with a manifest.json, as the export scripts write them; of a group, the first one is the app's
    first choice."""
    out: Path = Path("runs/bundle")
    """Folder to write; a bundle that is there is replaced."""
    names: tuple[str, ...] = ()
    """Of the models, such as S M L, one for each folder; by default those of the runs."""


def main(arguments: list[str]) -> None:
    """Write a bundle and print what is in it.

    Raises:
        UserError: the models do not go together, or one is not what its manifest states.
    """
    config = parse(BundleConfig, arguments, "Put several exported models into one folder for the apps.")
    write_bundle(_named(config), config.out)
    for group in groups_of(read_models(config.out)):
        models = list(group.values())
        classes = numbered_classes(models[0])
        count = f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}"
        print(f"{', '.join(group)}: {count}, {', '.join(list(classes.values())[:_LISTED])}", end="")
        print(", …" if len(classes) > _LISTED else "")
    size = sum(path.stat().st_size for path in config.out.rglob("*") if path.is_file())
    print(f"bundle: {config.out} ({size / 1e6:.1f} MB)")


def write_bundle(artifacts: Mapping[str, Path], out: Path) -> None:
    """Copy models into `out` with their index; a bundle that is there gives way when the new one is whole.

    Args:
        artifacts: name of each model → the folder that it was exported into.
        out: new, empty, or a bundle.

    Raises:
        UserError: as `main`.
    """
    check_writable(out, "--out")
    if out.exists() and not (out / MODELS_FILE).is_file() and (out.is_file() or visible(out)):
        raise UserError(f"{out} holds something else than a bundle; give another --out")
    check_models({name: read_manifest(folder) for name, folder in artifacts.items()})

    def write(new: Path) -> None:
        new.mkdir()
        for name, folder in artifacts.items():
            _copy_model(folder, new / name)
        hashes = {name: file_hash(new / name / MANIFEST_FILE) for name in artifacts}
        models = [{"folder": name, "sha256": digest} for name, digest in hashes.items()]
        write_json(new / MODELS_FILE, {"format": FORMAT, "models": models})

    write_folder_atomically(out, write)


def read_models(folder: Path) -> dict[str, dict[str, Any]]:
    """Read and check a bundle.

    Returns:
        Name of each model, which is its folder's → its manifest, in the order of the index.

    Raises:
        UserError: the index or a manifest is missing or damaged, or the models do not go together.
    """
    path = folder / MODELS_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        entries = _entries(stored)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; bundle the models again") from None
    for name, digest in entries.items():
        manifest = folder / name / MANIFEST_FILE
        if not manifest.is_file() or file_hash(manifest) != digest:
            raise UserError(f"{manifest} is not the one that {path} lists; bundle the models again")
    models = {name: read_manifest(folder / name) for name in entries}
    check_models(models)
    return models


def _entries(stored: Any) -> dict[str, str]:
    """Return folder → SHA-256 of its manifest."""
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        found = stored.get("format") if isinstance(stored, dict) else type(stored).__name__
        raise ValueError(f"format is {found!r}, not {FORMAT!r}")
    models = stored.get("models")
    if not isinstance(models, list) or not models:
        raise ValueError("models is missing, empty or no list")
    entries: dict[str, str] = {}
    for model in models:
        name, digest = (model.get(key) if isinstance(model, dict) else None for key in ("folder", "sha256"))
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in entries:
            raise ValueError(f"folder of a model is {name!r}, no name of its own")
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"sha256 of {name} is {digest!r}, no hash")
        entries[name] = digest
    return entries


def numbered_classes(manifest: Mapping[str, Any]) -> dict[int, str]:
    """Return number → name of the classes that a model draws: the teacher's numbers, by which models agree."""
    model = manifest["model"]
    numbers = model.get("teacher_classes", {})
    drawn = model["classes"] if model["class"] is None else {str(model["class"]): ""}
    return {numbers.get(index, int(index)): model["classes"][index] for index in drawn}


def groups_of(models: Mapping[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Return the models that draw the same classes together, each group in the order of the models."""
    groups: dict[frozenset[int], dict[str, dict[str, Any]]] = {}
    for name, manifest in models.items():
        groups.setdefault(frozenset(numbered_classes(manifest)), {})[name] = manifest
    return list(groups.values())


def check_models(models: Mapping[str, dict[str, Any]]) -> None:
    """Check that models go together.

    Args:
        models: name → manifest.

    Raises:
        UserError: two draw images of different sizes or are the same student; a number means two classes; a class
            is in two groups; or models of one group differ in more than their size.
    """
    for (one, first), (other, second) in itertools.combinations(models.items(), 2):
        sizes = [manifest["model"]["image_size"] for manifest in (first, second)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"image_size: {one} draws {sizes[0]} px and {other} {sizes[1]} px; bundle models of one size"
            )
        if first["model"]["sha256"]["float"] == second["model"]["sha256"]["float"]:
            raise UserError(f"{one} and {other} are the same student; leave one of them out")
        _check_classes(one, numbered_classes(first), other, numbered_classes(second))
        if set(numbered_classes(first)) == set(numbered_classes(second)):
            _check_alternatives(one, first, other, second)


def _check_classes(one: str, first: dict[int, str], other: str, second: dict[int, str]) -> None:
    shared = sorted(set(first) & set(second))
    for number in shared:
        if first[number] != second[number]:
            raise UserError(
                f"class {number} is {first[number]!r} in {one} and {second[number]!r} in {other}; bundle students "
                "of one teacher's classes"
            )
    if shared and set(first) != set(second):
        raise UserError(
            f"class {shared[0]}, {first[shared[0]]!r}, is in {one} and in {other}, whose other classes differ; "
            "give groups that share no class, or models of all the same classes"
        )


def _check_alternatives(one: str, first: dict[str, Any], other: str, second: dict[str, Any]) -> None:
    """Check that a seed and a class mean the same to two models of the same classes."""
    for section, name in (
        ("model", "z_dim"),
        ("model", "num_classes"),
        ("model", "classes"),
        ("model", "class"),
        ("sampler", "name"),
        ("sampler", "truncation"),
    ):
        if first[section][name] != second[section][name]:
            raise UserError(
                f"{section}.{name} of {one} and {other} differs, which draw the same classes; bundle students of "
                "one teacher that differ in their widths alone"
            )


def _named(config: BundleConfig) -> dict[str, Path]:
    """Return name → folder of the models."""
    if not config.artifacts:
        raise UserError("give the folders of the exported models, such as runs/digits/artifacts")
    if config.names and len(config.names) != len(config.artifacts):
        raise UserError(
            f"--names has {len(config.names)} names for {len(config.artifacts)} folders; give one each"
        )
    named: dict[str, Path] = {}
    for position, folder in enumerate(config.artifacts):
        own = folder.absolute()
        name = config.names[position] if config.names else (own.parent if own.name == "artifacts" else own).name
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is no name of a folder in an app; give letters and digits with --names")
        if name in named:
            raise UserError(f"two models are called {name!r}; give each a name of its own with --names")
        named[name] = folder
    return named


def _copy_model(folder: Path, target: Path) -> None:
    """Copy what a manifest names, and compare it."""
    manifest = read_manifest(folder)
    target.mkdir()
    hashes = {artifact["file"]: artifact["sha256"] for artifact in manifest["artifacts"]}
    hashes[manifest["golden"]["file"]] = manifest["golden"]["sha256"]
    if not manifest["artifacts"]:
        raise UserError(f"{folder} has no artifacts; export it again")
    for file in (MANIFEST_FILE, *hashes, *manifest["golden"]["first"]["files"].values()):
        if not (folder / file).exists():
            raise UserError(f"{folder / file} is missing; export it again")
        if (folder / file).is_dir():
            shutil.copytree(folder / file, target / file, ignore=shutil.ignore_patterns(".*"))
        else:
            shutil.copyfile(folder / file, target / file)
        if file in hashes and content_hash(target / file) != hashes[file]:
            raise UserError(f"{folder / file} is not the one of its manifest; export it again")


if __name__ == "__main__":
    run_script(main)
