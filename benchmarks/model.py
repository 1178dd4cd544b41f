"""The model under test: what the manifest and the run folder say about it."""

import dataclasses
import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from compress.config import INT8_STUDENTS
from deploy.golden import inputs_of
from deploy.manifest import MANIFEST_FILE, describe_student, export_command, read_manifest
from deploy.package_files import content_hash
from deploy.runners import runner_of
from train.adapted_teacher import RenumberedTeacher, ResizedTeacher
from train.errors import UserError, did_you_mean
from train.files import file_hash
from train.noise import latents_in_turn
from train.places import CONFIG_FILE, read_settings
from train.snapshot import STUDENT_FILE, load_snapshot, load_student
from train.teacher import Teacher, open_teacher


@dataclasses.dataclass(frozen=True)
class Model:
    """A run folder with its artifacts."""

    run: Path
    folder: Path
    """Of the artifacts."""
    manifest: dict[str, Any]
    artifacts: tuple[dict[str, Any], ...]
    """The manifest's entries that were asked for; their files are those that the manifest states."""
    students: dict[str, Path]
    """Student → its file, of those that lie in the run and that nothing else was exported in place of."""
    replaced: dict[str, str]
    """Student → a sentence on its file, which is not the one that was exported."""

    @property
    def description(self) -> dict[str, Any]:
        """What the results say about the model."""
        described = self.manifest["model"]
        kept = (
            "architecture",
            "channels",
            "image_size",
            "z_dim",
            "num_classes",
            "class",
            "trained_from",
            "sha256",
        )
        return {name: described[name] for name in kept} | {"trained_classes": len(described["classes"])}

    @property
    def truncation(self) -> float:
        """That the student was trained at."""
        return self.manifest["sampler"]["truncation"]

    @property
    def classes(self) -> dict[int, str]:
        """Index → name of the classes that it draws."""
        named = {int(index): name for index, name in self.manifest["model"]["classes"].items()}
        only = self.manifest["model"]["class"]
        return named if only is None else {only: named[only]}

    @property
    def one_class(self) -> bool:
        """Whether z is the only input."""
        return self.manifest["model"]["class"] is not None

    def latents(self, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return z float32 [N, z_dim] of consecutive seeds, and y int64 [N], the classes in turn."""
        z_dim, sampler = self.manifest["model"]["z_dim"], self.manifest["sampler"]["name"]
        return latents_in_turn(sorted(self.classes), seed, count, z_dim, self.truncation, sampler=sampler)

    def inputs(self, z: np.ndarray, y: int) -> tuple[np.ndarray, ...]:
        """Return the inputs of one image, each float32 [1, length], for z float32 [z_dim]."""
        return inputs_of(z, y, self.manifest["model"]["num_classes"], one_class=self.one_class)

    def runs_here(self, artifact: dict[str, Any]) -> str | None:
        """Return None where the artifact's own runtime is on this machine, else a sentence that says why not."""
        if artifact["runtime"] == "coreml" or artifact["backend"] == "coreml":
            return f"{artifact['file']} was neither timed nor scored: Core ML needs a Mac or an iPhone"
        name, load = runner_of(artifact["runtime"], artifact["backend"])
        return None if load else f"{artifact['file']} was neither timed nor scored: {name}"

    def setting(self, *names: str) -> Any:
        """Return a setting of the run, such as ("data", "teacher"); None where the run has no config.json."""
        if not (self.run / CONFIG_FILE).is_file():
            return None
        value: Any = read_settings(self.run)
        for name in names:
            value = value[name]
        return value


def teacher_spec(model: Model, stated: str | None) -> str | None:
    """Return the teacher that can draw the run's latents: the stated one, else the run's own; None without one."""
    spec = model.setting("data", "teacher") if stated is None else stated
    # Stored images are no teacher that can draw new ones.
    return None if not spec or spec.startswith("pairs:") else spec


def open_teacher_of(model: Model, spec: str) -> Teacher:
    """Open the teacher that a run's student learned from: its classes by the student's numbers, at its size.

    Raises:
        UserError: as `train.teacher.open_teacher`, or its images are too small.
    """
    teacher = open_teacher(spec, model.truncation)
    described = model.manifest["model"]
    if numbers := described.get("teacher_classes"):
        teacher = RenumberedTeacher(teacher, [numbers[str(index)] for index in range(described["num_classes"])])
    size = described["image_size"]
    return teacher if teacher.image_size == size else ResizedTeacher(teacher, size)


def open_model(run: Path, folder: Path, only: tuple[str, ...] = ()) -> Model:
    """Read the manifest and check the files that it names.

    Args:
        run: folder of the run.
        folder: of the artifacts.
        only: patterns of file names; none for all.

    Raises:
        UserError: no artifacts, one is missing or is not what the manifest states, or a pattern matches none.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise UserError(f"no {MANIFEST_FILE} in {folder}; export with: {export_command(run, folder)}")
    manifest = read_manifest(folder)
    names = [artifact["file"] for artifact in manifest["artifacts"]]
    if not names:
        raise UserError(f"{folder} has no artifacts; export with: {export_command(run, folder)}")
    for pattern in only:
        if not fnmatch.filter(names, pattern):
            known = f"{did_you_mean(pattern, names)}; there are {', '.join(names)}"
            raise UserError(f"--only {pattern} matches no artifact{known}")
    chosen = [
        artifact
        for artifact in manifest["artifacts"]
        if not only or any(fnmatch.fnmatchcase(artifact["file"], pattern) for pattern in only)
    ]
    for artifact in chosen:
        path = folder / artifact["file"]
        if not path.exists():
            raise UserError(f"{path} is in the manifest and not there; export again")
        if (found := content_hash(path)) != artifact["sha256"]:
            stated = f"{artifact['sha256'][:16]}… of the manifest"
            raise UserError(f"{path} has the SHA-256 {found[:16]}…, not {stated}; export again")
    return Model(run, folder, manifest, tuple(chosen), *_find_students(run, manifest))


def open_unexported(run: Path) -> Model:
    """Describe a student of which nothing was exported: a run folder's, or one snapshot, float or int8.

    Raises:
        UserError: there is none, or it is damaged.
    """
    if run.is_file():
        info = load_student(run)[1]
        files = {"int8" if run.stem.endswith("int8") else "float": run}
    else:
        info = load_snapshot(run / STUDENT_FILE)[1]
        files = {"float": run / STUDENT_FILE} | {name: run / path for name, path in INT8_STUDENTS.items()}
    students = {name: path for name, path in files.items() if path.is_file()}
    described = describe_student(info, {name: file_hash(path) for name, path in students.items()})
    manifest = {
        "model": described,
        "sampler": {"name": info.sampler, "truncation": info.truncation},
        "artifacts": [],
    }
    return Model(run, run / "artifacts", manifest, (), students, {})


def _find_students(run: Path, manifest: dict[str, Any]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the run's students, and a sentence for each that was trained anew since the export."""
    students, replaced = {}, {}
    for student, relative in {"float": STUDENT_FILE, **INT8_STUDENTS}.items():
        path = run / relative
        if not path.is_file():
            continue
        found = file_hash(path)
        # Of a student that the manifest does not know nothing was made, so that nothing can contradict it.
        if manifest["model"]["sha256"].get(student, found) == found:
            students[student] = path
        else:
            replaced[student] = f"{path} is not the {student} student that was exported; export again"
    return students, replaced
