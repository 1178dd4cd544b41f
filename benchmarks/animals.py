"""Animals from photographs at 64 px: students of the embedded teacher, int8, Table 2, as commands in order.

    python benchmarks/animals.py --photos TRAIN.npz --validation VAL.npz --features NET.pt --classifier NET.tflite

Every command is printed before it runs and goes on where it was stopped; one that is done takes seconds, or a
minute where a teacher is stored or models are judged.
"""

import dataclasses
from pathlib import Path

from benchmarks.recipe import Command, Stage, print_stages, run_stages
from benchmarks.scoring import CONTROL_FILE
from compress.config import INT8_STUDENTS
from train.cli import parse, run_script
from train.presets import PRESETS, TEN_ANIMALS
from train.snapshot import STUDENT_FILE

# Folder of each student → its preset and what is changed in it: the rows of the table after teacher and int8.
SHORT: dict[str, Command] = {
    "short": ("animals64",),
    "scratch": ("scratch-animals64-student",),
    "no-feature": ("animals64-no-feature",),
    "no-real": ("animals64-no-real",),
    "no-adversarial": ("animals64-no-adversarial",),
    "pixel-only": ("animals64-pixel-only",),
}
_CURVES = ("short", "scratch")  # of equal length
# Little of the pixel term, as in the end of the float training: it blurs what the classes are told apart by. Four
# bits keep the short average, as `QatConfig.ema_decay` says.
_GENTLY = ("--images", "6400", "--pixel-share", "0.2", "--learning-rate-share", "0.1")
_LONG_AVERAGE = ("--ema-decay", "0.98")


@dataclasses.dataclass(frozen=True)
class AnimalsConfig:
    """The data, the networks that judge, and where all of it goes."""

    photos: Path
    """Image pack or folder to train on."""
    validation: Path
    """Other photos of the same classes, to measure distances to."""
    folder: Path = Path("runs/animals64")
    """The runs lie there."""
    teacher: str = "animals"
    """Anything that --teacher of train/collect.py takes; the command of the embedded one stands in its card."""
    short_images: int = 60_032
    """Of the rows that are compared with one another: the student without one of its parts."""
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
    first, student, pairs = folder / "strided", folder / "student", folder / "pairs"
    classes = ("--classes", TEN_ANIMALS)
    judge = () if config.features is None else ("--features", str(config.features))
    curve = ("benchmarks/learning_curve.py", "--reference", str(config.validation), *judge)
    short = ("--optimizer.images", str(config.short_images))

    def training(name: str, preset: str, *changes: str, seconds: int = 900) -> Stage:
        taught = () if preset.startswith("scratch") else ("--data.teacher", f"pairs:{pairs}")
        command = ("train/main.py", preset, "--run", str(folder / name), "--data.reals", str(config.photos))
        return Stage(
            f"train a student: {name}", ((*command, *taught, "--runtime.snapshots", "5", *changes),), seconds
        )

    def quantizing(title: str, *flags: str) -> Stage:
        return Stage(title, (("compress/qat.py", "--run", str(student), *_GENTLY, *flags),), 600)

    curves = (str(folder / name) for name in _CURVES)
    per_class = ("--per-class", str(PRESETS["animals64"][1].data.per_class))
    collect = ("train/collect.py", "--teacher", config.teacher, *classes, *per_class, "--out", str(pairs))
    return [
        Stage("collect the teacher's images", (collect,), 200),
        training("strided", "animals64", seconds=4000),
        training("student", "animals64-projected", "--initialise", str(first / STUDENT_FILE), seconds=3600),
        quantizing("quantization-aware training, W8A8", *_LONG_AVERAGE),
        quantizing("quantization-aware training, W4A8", "--bits", "W4A8"),
        quantizing(
            "train the float control for as long",
            *("--bits", "float", "--out", str((student / CONTROL_FILE).parent), *_LONG_AVERAGE),
        ),
        *(training(name, *command, *short) for name, command in SHORT.items()),
        Stage(
            "draw the learning curves",
            ((*curve, "--runs", *curves, "--out", _beside(config.out, "_curve")),),
            600,
        ),
        Stage("judge all of them", (_judging(config),), 2400),
    ]


def _judging(config: AnimalsConfig) -> Command:
    folder, student = config.folder, config.folder / "student"
    models = {
        "photos": f"reals:{config.validation}",  # which the distance is measured to
        "training-photos": f"reals:{config.photos}",  # whose distance is the floor
        "teacher": f"teacher:{config.teacher}",
        "float": str(student / STUDENT_FILE),
        "control": str(student / CONTROL_FILE),
        "int8": str(student / INT8_STUDENTS["int8"]),
        "int4": str(student / INT8_STUDENTS["int4"]),
        "strided": str(folder / "strided" / STUDENT_FILE),
    }
    models |= {name: str(folder / name / STUDENT_FILE) for name in SHORT}
    given = {"--features": config.features, "--classifier": config.classifier}
    networks = [part for flag, path in given.items() if path is not None for part in (flag, str(path))]
    return (
        *("benchmarks/judge.py", "--models", *(f"{name}={what}" for name, what in models.items())),
        *("--classes", TEN_ANIMALS, "--per-class", "50"),  # as many as there are to validate with
        *("--reference", str(config.validation), "--nearest", str(config.photos)),
        *networks,
        *("--no-lite0",) * (config.features is not None),  # it trained teacher and student
        *("--out", str(config.out)),
    )


def _beside(path: Path, suffix: str) -> str:
    return str(path.with_name(f"{path.stem}{suffix}{path.suffix}"))


def main(arguments: list[str]) -> None:
    """Run all stages, or print their commands."""
    config = parse(AnimalsConfig, arguments, __doc__ or "")
    plan = stages(config)
    if config.dry_run:
        print_stages(plan)
        return
    run_stages(plan)
    print(f"table and pictures: {config.out.with_suffix('.md')} and beside it")


if __name__ == "__main__":
    run_script(main)
