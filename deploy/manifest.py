"""The manifest: all that an app or a benchmark knows about a model and its artifacts."""

import contextlib
import dataclasses
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from deploy.golden import GOLDEN_FILE, Golden
from deploy.manifest_fields import PIXEL_RULE, check_fields
from deploy.package_files import content_hash
from deploy.parity import Parity
from deploy.source import ExportSource, Reference
from train.commands import typed
from train.errors import UserError
from train.files import file_hash, remove, write_json
from train.locks import locked
from train.noise import BOUNDS
from train.snapshot import STUDENT_FILE, SnapshotInfo

MANIFEST_FILE = "manifest.json"
LOCK_FILE = ".manifest.lock"
FORMAT = "tinygan-edge-manifest-1"


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """An input or output of an artifact."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    range: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the manifest says about one artifact."""

    file: str
    platforms: tuple[str, ...]
    runtime: str
    backend: str
    precision: str
    bytes: int
    sha256: str
    student: Reference
    """That it computes."""
    student_sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    outside_delegate: dict[str, int]
    """Operation → how many of it the backend leaves to the portable kernels."""
    parity: Parity | dict[str, str]
    """Or {"not_run": why}."""
    checks: dict[str, Any]
    """What else was found about the file."""
    options: dict[str, str]
    """What the user said of it."""
    tools: dict[str, str]
    """Package → version that made it."""


class Manifest:
    """`manifest.json` of one model; it is written after every change.

    Two exports may write into one folder at the same time: each change is made to what is on disk then.

    Args:
        folder: of the artifacts.
        head: everything but the artifacts.
    """

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self.folder, self.head = folder, head
        self.artifacts: list[dict[str, Any]] = []

    def put(self, entry: Entry) -> None:
        """Add an artifact, in place of one of the same file name."""
        added = json.loads(json.dumps(dataclasses.asdict(entry)))
        with self._changing(entry.file):
            self.artifacts = sorted([*self.artifacts, added], key=lambda artifact: artifact["file"])

    def keeps(self, file: str, options: dict[str, str], tools: dict[str, str]) -> bool:
        """Return whether an artifact is there unchanged, from these options and tools."""
        for entry in read_manifest(self.folder)["artifacts"]:
            if entry["file"] == file and (entry["options"], entry["tools"]) == (options, tools):
                return content_hash(self.folder / file) == entry["sha256"]
        return False

    def drop(self, file: str) -> None:
        """Forget an artifact."""
        with self._changing(file):
            pass

    @contextlib.contextmanager
    def _changing(self, file: str) -> Iterator[None]:
        """Take what is on disk without `file`, and write the result of the context."""
        with changing(self.folder):
            stored = read_manifest(self.folder)
            if stored["model"]["sha256"] != self.head["model"]["sha256"]:
                raise UserError(f"{self.folder} is of another student now; export into another folder with --out")
            self.artifacts = [artifact for artifact in stored["artifacts"] if artifact["file"] != file]
            yield
            self.write()

    def write(self) -> None:
        """Write the file."""
        write_json(self.folder / MANIFEST_FILE, {**self.head, "artifacts": self.artifacts})


def changing(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Keep other exports from changing a folder's manifest inside the context."""
    return locked(folder, f"writes {folder / MANIFEST_FILE}", name=LOCK_FILE)


def describe(
    source: ExportSource, golden: Golden, golden_file: Path, first_images: dict[Reference, str]
) -> dict[str, Any]:
    """Return everything of a manifest but its artifacts.

    Args:
        source: what the artifacts are made from.
        golden: what they are measured against.
        golden_file: where that is stored.
        first_images: student → file beside it with its first golden image.
    """
    info = source.info
    counts = {
        "parameters": sum(p.numel() for p in source.form.parameters()),
        "multiply_accumulates": multiply_accumulates(source),
    }
    model = describe_student(info, source.files, source.class_index, counts)
    sampler = {"name": info.sampler, "truncation": info.truncation}
    images = {
        "file": golden_file.name,
        "sha256": file_hash(golden_file),
        "images": len(golden.seeds),
        "first_seed": int(golden.seeds[0]),
        "students": list(golden.images),
        "first": {"seed": int(golden.seeds[0]), "class": int(golden.y[0]), "files": first_images},
    }
    head = {"format": FORMAT, "model": model, "sampler": sampler, "pixels": PIXEL_RULE, "golden": images}
    return json.loads(json.dumps(head))


def describe_student(
    info: SnapshotInfo,
    files: Mapping[Any, str],
    only: int | None = None,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return what a manifest says of the student itself.

    Args:
        info: its description.
        files: student → SHA-256 of its file.
        only: the class of a specialised form.
        counts: what it costs.
    """
    config = info.generator
    # The channels alone do not tell the widths of layers that do not follow from them.
    widths = {name: value for name, value in config.record().items() if name == "widths"}
    return {
        "architecture": config.architecture,
        "channels": config.channels,
        **widths,
        "image_size": config.image_size,
        "z_dim": config.z_dim,
        "num_classes": config.num_classes,
        "classes": {str(index): name for index, name in info.classes.items()},
        "teacher_classes": {str(index): number for index, number in info.teacher_classes.items()},
        "class": only,
        **(counts or {}),
        "trained_from": info.source,
        "sha256": dict(files),
    }


def multiply_accumulates(source: ExportSource) -> int:
    """Return those of one image by the float form, in convolutions and Linears."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        source.form(*source.example_inputs())
    return counter.get_total_flops() // 2


def input_specs(source: ExportSource) -> tuple[TensorSpec, ...]:
    """Return an artifact's inputs."""
    bound = BOUNDS[source.info.sampler] * source.info.truncation
    ranges = {"z": (-bound, bound), "class_weights": (0.0, 1.0)}
    return tuple(TensorSpec(name, (1, length), "float32", ranges[name]) for name, length in source.inputs.items())


def open_manifest(folder: Path, source: ExportSource, golden: Golden) -> Manifest:
    """Store the golden images and return the folder's manifest to go on with.

    Artifacts of other weights are deleted with their entries, and a line says which.
    """
    with changing(folder):
        golden.save(folder / GOLDEN_FILE)
        first_images = golden.save_first_images(folder)
        manifest = Manifest(folder, describe(source, golden, folder / GOLDEN_FILE, first_images))
        removed = []
        for artifact in _stored_artifacts(folder):
            if artifact["student_sha256"] != source.files.get(artifact["student"]):
                remove(folder / artifact["file"])
                removed.append(artifact["file"])
            elif (folder / artifact["file"]).exists():
                manifest.artifacts.append(artifact)
        manifest.write()
    if removed:
        print(
            f"removed from {folder}, made of other weights than {source.run} has: {', '.join(removed)}", flush=True
        )
    return manifest


def _stored_artifacts(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of a folder's manifest; none, said aloud, where it cannot be read."""
    if not (folder / MANIFEST_FILE).is_file():
        return []
    try:
        return read_manifest(folder)["artifacts"]
    except UserError as error:
        print(f"a new manifest is begun: {error}", flush=True)
        return []


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check `manifest.json`.

    Raises:
        UserError: it is missing, damaged or of another version, or a field is missing or wrong.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        inner = folder / "artifacts"  # where it is a run folder
        if (inner / MANIFEST_FILE).is_file():
            raise UserError(f"no {MANIFEST_FILE} in {folder}; give {inner}")
        run = folder.parent if folder.name == "artifacts" else Path("runs/digits")
        again = export_command(folder, inner) if (folder / STUDENT_FILE).is_file() else export_command(run, folder)
        raise UserError(f"no {MANIFEST_FILE} in {folder}; export with: {again}")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); export again") from None
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        found = stored.get("format") if isinstance(stored, dict) else type(stored).__name__
        raise UserError(f"{path} is of format {found!r}, not {FORMAT!r}; export again")
    check_fields(stored, path)
    return stored


def export_command(run: Path, folder: Path, script: str = "deploy/android/export.py") -> str:
    """Return the command line that exports a run into `folder`, for messages."""
    return typed(script, "--run", run, *(() if folder == run / "artifacts" else ("--out", folder)))


def own_version() -> str:
    """Return this project's version; "unknown" where it is not installed but only found."""
    try:
        return importlib.metadata.version("tinygan-edge")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions, those that are installed."""
    found = {}
    for package in ("torch", *packages):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
