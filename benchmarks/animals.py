"""Animals from photographs at 64 px: teacher, students, int8, the paper's Table 2, as commands in order.

    python benchmarks/animals.py --photos TRAIN.npz --validation VAL.npz --features NET.pt --classifier NET.tflite

Every command is printed before it runs and goes on where it was stopped; one that is done takes seconds, or a
minute where a teacher is stored or models are judged.
"""

import dataclasses
from pathlib import Path

from benchmarks.recipe import Command, Stage, run_stages
from benchmarks.scoring import CONTROL_FILE
from compress.config import INT8_STUDENTS
from train.checkpoint import TEACHER_FOLDER
from train.cli import parse, run_script
from train.commands import typed
from train.presets import TINY_IMAGENET_ANIMALS
from train.snapshot import STUDENT_FILE

# Folder of each student → its preset and what is changed in it: the rows of the table after teacher and int8.
STUDENTS: dict[str, Command] = {
    "student": ("animals64",),
    "scratch": ("scratch-animals64-student",),
    "no-feature": ("animals64-no-feature",),
    "no-real": ("animals64-no-real",),
    "no-adversarial": ("animals64-no-adversarial",),
    "pixel-only": ("animals64-pixel-only",),
    "projected": ("animals64", "--discriminator.kind", "projected", "--discriminator.channels", "64"),
}


@dataclasses.dataclass(frozen=True)
class AnimalsConfig:
    """The data, the networks that judge, and where all of it goes."""

    photos: Path
    """Image pack or folder to train on."""
    validation: Path
    """Other photos of the same classes, to measure distances to."""
    folder: Path = Path("runs/animals64")
    """The runs lie there."""
    classes: str = TINY_IMAGENET_ANIMALS
    """ImageNet classes, which both sets of photos have."""
    channels: int = 10
    """Width of the students: at 10 they cost 9.4 M multiply-accumulates, 8.7 times less than the teacher."""
    per_class: int = 1000
    """Pairs of each class."""
    features: Path | None = None
    """TorchScript feature network that judges; without one EfficientNet-lite0 does, which trained the teacher."""
    classifier: Path | None = None
    """TFLite ImageNet classifier that says whether the class asked for is seen."""
    out: Path = Path("benchmarks/animals64.json")
    """The table; a .md file and pictures are written beside it."""
    dry_run: bool = False
    """Print the commands and stop."""


def stages(config: AnimalsConfig) -> list[Stage]:
    """Return the commands; the seconds are guesses for two cores of a server."""
    folder = config.folder
    teacher, student, pairs = folder / "teacher", folder / "student", folder / "pairs"
    data = ("--data.reals", str(config.photos), "--data.classes", config.classes)
    snapshots = ("--runtime.snapshots", "15")
    judge = () if config.features is None else ("--features", str(config.features))
    curve = ("benchmarks/learning_curve.py", "--reference", str(config.validation), *judge)

    def training(name: str) -> Stage:
        preset, *changes = STUDENTS[name]
        taught = () if preset.startswith("scratch") else ("--data.teacher", f"pairs:{pairs}")
        width = ("--generator.channels", str(config.channels))
        run = ("--run", str(folder / name))
        command = ("train/main.py", preset, *run, *taught, *data, *width, *snapshots, *changes)
        return Stage(f"train a student: {name}", (command,), 2400)

    def quantizing(title: str, *bits: str) -> Stage:
        return Stage(title, (("compress/qat.py", "--run", str(student), *bits),), 300)

    return [
        Stage(
            "train the teacher on photographs",
            (("train/main.py", "scratch-animals64", "--run", str(teacher), *data, *snapshots),),
            9000,
        ),
        Stage(
            "keep its best snapshot",
            ((*curve, "--runs", str(teacher), "--out", str(folder / "teacher_curve.json"), "--keep-best"),),
            600,
        ),
        Stage(
            "collect its images",
            (
                (
                    *("train/collect.py", "--teacher", str(teacher / TEACHER_FOLDER), "--classes", config.classes),
                    *("--per-class", str(config.per_class), "--out", str(pairs)),
                ),
            ),
            600,
        ),
        training("student"),
        quantizing("quantization-aware training, W8A8"),
        quantizing("quantization-aware training, W4A8", "--bits", "W4A8"),
        quantizing(
            "train the float control for as long", "--bits", "float", "--out", str((student / CONTROL_FILE).parent)
        ),
        *(training(name) for name in STUDENTS if name != "student"),
        Stage(
            "draw the learning curves",
            ((*curve, "--runs", str(student), str(folder / "scratch"), "--out", _beside(config.out, "_curve")),),
            600,
        ),
        Stage("judge all of them", (_judging(config),), 900),
    ]


def _judging(config: AnimalsConfig) -> Command:
    folder, student = config.folder, config.folder / "student"
    models = {
        "photos": f"reals:{config.photos}",
        "teacher": f"teacher:{folder / 'teacher' / TEACHER_FOLDER}",
        "float": str(student / STUDENT_FILE),
        "control": str(student / CONTROL_FILE),
        "int8": str(student / INT8_STUDENTS["int8"]),
        "int4": str(student / INT8_STUDENTS["int4"]),
    }
    models |= {name: str(folder / name / STUDENT_FILE) for name in STUDENTS if name != "student"}
    given = {"--features": config.features, "--classifier": config.classifier}
    networks = [part for flag, path in given.items() if path is not None for part in (flag, str(path))]
    return (
        *("benchmarks/judge.py", "--models", *(f"{name}={what}" for name, what in models.items())),
        *("--classes", config.classes, "--reference", str(config.validation), "--nearest", str(config.photos)),
        *networks,
        *("--no-lite0",) * (config.features is not None),  # it trained the teacher
        *("--out", str(config.out)),
    )


def _beside(path: Path, suffix: str) -> str:
    return str(path.with_name(f"{path.stem}{suffix}{path.suffix}"))


def main(arguments: list[str]) -> None:
    """Run all stages, or print their commands."""
    config = parse(AnimalsConfig, arguments, __doc__ or "")
    plan = stages(config)
    if config.dry_run:
        for stage in plan:
            print(f"# {stage.title}", *(typed(*command) for command in stage.commands), sep="\n")
        return
    run_stages(plan)
    print(f"table and pictures: {config.out.with_suffix('.md')} and beside it")


if __name__ == "__main__":
    run_script(main)
