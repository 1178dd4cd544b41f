"""The stages from photographs to students: what each makes, and how it is seen that it is done."""

import dataclasses
import importlib.util
import json
from collections.abc import Callable

from benchmarks.animals64.settings import INT8, STUDENT, STUDENTS, TEACHER, AnimalsConfig
from benchmarks.animals64.table import make_table, table_is_there
from compress.config import INT8_FILE
from compress.deploy_form import deploy_form
from compress.finetune import calibration_batches, finetune, post_training
from compress.float_run import open_run
from train.checkpoint import TEACHER_FOLDER
from train.classes import parse_classes
from train.distributed import World
from train.errors import UserError
from train.files import write_json
from train.pair_folder import read_index
from train.pairs import collect_pairs, pair_settings
from train.photo_sets import classes_in
from train.run import FINISHED_FILE, has_ended, train
from train.sources import open_sources
from train.teacher import open_teacher


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the way; running one that was stopped goes on with it."""

    name: str
    title: str
    is_done: Callable[[], bool]
    run: Callable[[World], None]


def plan(config: AnimalsConfig) -> list[Stage]:
    """Return all stages in order."""
    stages = [_training(config, TEACHER, "train the teacher on photographs"), _collecting(config)]
    for name, (_, title) in STUDENTS.items():
        stages.append(_training(config, name, f"train a student, {title}"))
        if name == STUDENT:
            stages.append(
                Stage(
                    INT8,
                    "quantization-aware training",
                    lambda: int8_is_done(config),
                    lambda world: _quantize(config, world),
                )
            )
    judging = Stage(
        "table",
        "judge all of them",
        lambda: table_is_there(config),
        lambda world: make_table(config, world.device),
    )
    return [*stages, judging]


def check_inputs(config: AnimalsConfig) -> None:
    """Raise a UserError before any work if a pack is missing or lacks a class, or a network to judge with is."""
    classes = config.teacher().generator.num_classes
    wanted = parse_classes(config.classes, classes)
    for flag, path in (("--photos", config.photos), ("--validation", config.validation)):
        if not path.is_file():
            raise UserError(f"no image pack at {path}; give one with {flag}")
        if missing := sorted(set(wanted) - set(classes_in(path, classes))):
            raise UserError(
                f"{path} has no photos of {len(missing)} of the {len(wanted)} classes, the first is {missing[0]}; "
                f"give another {flag}, or name its classes with --classes"
            )
    for flag, path in (
        ("--features", config.features),
        ("--inception", config.inception),
        ("--classifier", config.classifier),
    ):
        if path is not None and not path.is_file():
            raise UserError(f"no network at {path}; give another {flag} or leave it out")
    if config.classifier is not None and importlib.util.find_spec("ai_edge_litert") is None:
        raise UserError(
            f"--classifier {config.classifier} needs ai-edge-litert; pip install 'tinygan-edge[benchmarks]' "
            "or leave it out"
        )


def int8_is_done(config: AnimalsConfig) -> bool:
    """Return whether the quantization-aware training has come to its end."""
    try:
        return json.loads((config.qat().folder / FINISHED_FILE).read_text()) == {"images": config.images_int8}
    except (FileNotFoundError, ValueError):
        return False


def pairs_are_needed(config: AnimalsConfig) -> bool:
    """Return whether a student that learns from the teacher is not finished."""
    runs = {name: run for name, run in config.runs().items() if run.data.teacher}
    return not (int8_is_done(config) and all(has_ended(config.folder / name, run) for name, run in runs.items()))


def _training(config: AnimalsConfig, name: str, title: str) -> Stage:
    run, folder = config.runs()[name], config.folder / name
    return Stage(name, title, lambda: has_ended(folder, run), lambda world: train(run, folder, world))


def _collecting(config: AnimalsConfig) -> Stage:
    run, weights = config.student(STUDENT), config.folder / TEACHER / TEACHER_FOLDER
    classes = parse_classes(config.classes, run.generator.num_classes)

    def collect(world: World) -> None:
        collect_pairs(
            open_teacher(str(weights), run.data.truncation).to(world.device),
            config.pairs,
            classes,
            per_class=config.per_class,
            seed=run.seed,
            world=world,
            command="python benchmarks/animals.py",
        )

    def is_complete() -> bool:
        """Pairs of other settings, or of another teacher, are not: `collect_pairs` then says so and stops."""
        if not pairs_are_needed(config):
            return True
        if not ((config.pairs / "index.json").is_file() and weights.is_dir()):
            return False
        teacher = open_teacher(str(weights), run.data.truncation)
        wanted = pair_settings(teacher, classes, per_class=config.per_class, seed=run.seed)
        return read_index(config.pairs)[0] == wanted

    return Stage("pairs", f"collect {config.per_class:,} pairs of each class", is_complete, collect)


def _quantize(config: AnimalsConfig, world: World) -> None:
    settings = config.qat()
    run = open_run(settings.run)
    # The student may have been trained on another machine, with its data elsewhere.
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, data=config.student(STUDENT).data))
    sources = open_sources(settings.float_settings(run.config), run.folder, world)
    batches = calibration_batches(settings, run, sources, world)
    calibrated = post_training(deploy_form(run.student).to(world.device), settings, batches)
    finetune(settings, run, sources, calibrated, world)
    write_json(settings.folder / FINISHED_FILE, {"images": config.images_int8})
    print(f"int8 student: {settings.folder / INT8_FILE}")
