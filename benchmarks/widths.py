"""Narrower students of the digits, found and not: the table of `compress/search.py`, as commands in order.

    python benchmarks/widths.py [--folder runs/widths] [--seeds 0 1 2]

At every budget, a share of the full student's multiply-accumulates: a uniformly narrower student trained alone on
as many images as the found one has seen in all, the same share of the supernet, random search with as many
candidates, the found student, fine-tuned, and in int8; and a search whose supernet learned from the full student's
features.
Every command is printed before it runs and goes on where it was stopped.
"""

import dataclasses
from pathlib import Path

from benchmarks.recipe import Command, Stage, print_stages, run_stages
from benchmarks.widths_table import PROGRAM, write_table
from compress.budget import Cost
from compress.evolution import EvolutionConfig
from compress.found_run import STUDENTS_FOLDER
from compress.width_space import WidthSpace
from train.cli import parse, run_script
from train.errors import UserError
from train.presets import PRESETS
from train.snapshot import STUDENT_FILE

FULL = 100
"""The budget that is no budget."""


@dataclasses.dataclass(frozen=True)
class WidthsConfig:
    """Which budgets, how long everything is trained, and where it goes."""

    folder: Path = Path("runs/widths")
    """The runs lie there."""
    preset: str = "digits"
    """Of the full student."""
    budgets: tuple[int, ...] = (75, 50, 35, 25)
    """Per cent of the full student's multiply-accumulates."""
    intermediate_budgets: tuple[int, ...] = (50, 25)
    """Those that are searched with intermediate distillation too."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Everything is done once per seed."""
    images: int = 19_200
    """Length of the full student's training: shorter than the preset's, so that a seed takes half an hour."""
    supernet_images: int = 9_600
    """Length of the supernet's training."""
    finetune_images: int = 3_840
    """Of the fine-tuning of each found student."""
    qat_images: int = 3_200
    """Of the quantization-aware training."""
    latents: int = 256
    """That candidates are compared with the teacher on."""
    evolution: EvolutionConfig = EvolutionConfig(population=24, parents=6, rounds=8)
    """Of the searches; shorter than the default's."""
    per_class: int = 100
    """Images of each class that are judged."""
    out: Path = Path("benchmarks/widths_digits.json")
    """The table; a .md file and plots are written beside it."""
    dry_run: bool = False
    """Print the commands and stop."""

    def __post_init__(self) -> None:
        if self.preset not in PRESETS or PRESETS[self.preset][1].generator.architecture == "biggan":
            raise UserError(f"--preset {self.preset} is no student's; see python train/main.py --help")

    @property
    def images_alone(self) -> int:
        """Length of the training of those that are trained alone: what a found student has seen in all."""
        return self.images + self.supernet_images + self.finetune_images

    @property
    def candidates(self) -> int:
        """How many a search compares at most."""
        evolution = self.evolution
        return evolution.population + evolution.rounds * (evolution.population - evolution.parents)

    def full(self, seed: int) -> Path:
        """Return the run folder of the full student."""
        return self.folder / f"full-{seed}"

    def alone(self, budget: int, seed: int) -> Path:
        """Return the run folder of a uniformly narrower student that is trained alone."""
        return self.folder / f"alone-{budget}-{seed}"

    def found(self, budget: int, seed: int, search: str = "search") -> Path:
        """Return the run folder of a found student."""
        return self.full(seed) / search / f"{budget}%"

    def models(self) -> dict[tuple[str, int, int], Path]:
        """Return (row, budget, seed) → the student that the table judges."""
        models: dict[tuple[str, int, int], Path] = {}
        for seed in self.seeds:
            models["full", FULL, seed] = self.full(seed) / STUDENT_FILE
            models["int8", FULL, seed] = self.full(seed) / "qat" / "student_int8.safetensors"
            any_found = self.found(self.budgets[0], seed) / STUDENTS_FOLDER
            models["slice", FULL, seed] = any_found / "full.safetensors"
            for budget in (FULL, *self.budgets):
                models["alone", budget, seed] = self.alone(budget, seed) / STUDENT_FILE
            for budget in self.budgets:
                found = self.found(budget, seed) / STUDENTS_FOLDER
                models["slice", budget, seed] = found / "uniform_slice.safetensors"
                random = self.found(budget, seed, "random") / STUDENTS_FOLDER
                models["random", budget, seed] = random / "found.safetensors"
                models["found", budget, seed] = found / "found.safetensors"
                models["tuned", budget, seed] = found / "fine_tuned.safetensors"
                models["int8", budget, seed] = self.found(budget, seed) / "qat" / "student_int8.safetensors"
            for budget in self.intermediate_budgets:
                found = self.found(budget, seed, "intermediate") / STUDENTS_FOLDER
                models["intermediate", budget, seed] = found / "found.safetensors"
                models["intermediate, tuned", budget, seed] = found / "fine_tuned.safetensors"
        return models


def stages(config: WidthsConfig) -> list[Stage]:
    """Return the commands, two side by side where two are independent; the seconds are guesses for two cores."""
    plan: list[Stage] = []
    for seed in config.seeds:
        plan += [*_training(config, seed), *_searching(config, seed), *_quantizing(config, seed)]
    return [*plan, Stage("judge all of them", (_judging(config),), 400)]


def _training(config: WidthsConfig, seed: int) -> list[Stage]:
    preset = PRESETS[config.preset][1]
    space = WidthSpace(preset.generator)
    common = ("--seed", str(seed), "--runtime.shared", str(config.folder))

    def alone(budget: int) -> Command:
        widths: tuple[str, ...] = ()
        if budget != FULL:
            chosen = space.widths(space.uniform(Cost("macs", space.macs).budget(f"{budget}%", space).fits))
            parts = (("--generator.widths.stages", chosen.stages), ("--generator.widths.mids", chosen.mids))
            widths = tuple(word for flag, values in parts for word in (flag, *map(str, values)))
        folder = ("--run", str(config.alone(budget, seed)))
        length = ("--optimizer.images", str(config.images_alone))
        return ("train/main.py", config.preset, *folder, *common, *length, *widths)

    full: Command = ("train/main.py", config.preset, "--run", str(config.full(seed)), *common)
    full += ("--optimizer.images", str(config.images))
    commands = [full, *map(alone, (FULL, *config.budgets))]
    # The first alone: it collects the pairs that the others find.
    paired = [(full,), *(tuple(commands[k : k + 2]) for k in range(1, len(commands), 2))]
    return [Stage(f"train full and uniform students, seed {seed}", pair, 120) for pair in paired]


def _searching(config: WidthsConfig, seed: int) -> list[Stage]:
    evolution = config.evolution
    common = ("compress/search.py", "--run", str(config.full(seed)), "--seed", str(seed))
    common += ("--latents", str(config.latents), "--images", str(config.supernet_images))
    evolved = ("--evolution.population", str(evolution.population), "--evolution.parents", str(evolution.parents))
    evolved += ("--evolution.rounds", str(evolution.rounds), "--finetune-images", str(config.finetune_images))

    def under(budgets: tuple[int, ...]) -> Command:
        return ("--macs", *(f"{budget}%" for budget in budgets))

    intermediate = ("--out", str(config.full(seed) / "intermediate"), "--intermediate", "1")
    drawn = ("--evolution.population", str(config.candidates), "--evolution.rounds", "0", "--finetune-images", "0")
    random = ("--out", str(config.full(seed) / "random"), "--supernet", str(config.full(seed) / "search/supernet"))
    return [
        Stage(
            f"search, with and without the full student's features, seed {seed}",
            (
                (*common, *under(config.budgets), *evolved),
                (*common, *under(config.intermediate_budgets), *evolved, *intermediate),
            ),
            240,
        ),
        Stage(f"search at random, seed {seed}", ((*common, *under(config.budgets), *drawn, *random),), 100),
    ]


def _quantizing(config: WidthsConfig, seed: int) -> list[Stage]:
    folders = [config.full(seed), *(config.found(budget, seed) for budget in config.budgets)]
    pairs = [folders[k : k + 2] for k in range(0, len(folders), 2)]
    trained = [
        tuple(("compress/qat.py", "--run", str(f), "--images", str(config.qat_images)) for f in pair)
        for pair in pairs
    ]
    exported = [
        tuple(("deploy/android/export.py", "--run", str(f), "--only", PROGRAM) for f in pair) for pair in pairs
    ]
    return [
        Stage(f"{title}, seed {seed}", commands, seconds)
        for pair in zip(trained, exported, strict=True)
        for title, commands, seconds in zip(("int8", "export and gate"), pair, (60, 15), strict=True)
    ]


def _judging(config: WidthsConfig) -> Command:
    preset = PRESETS[config.preset][1]
    models = {"teacher": f"teacher:{preset.data.teacher}"}
    models |= {model_name(*key): str(path) for key, path in config.models().items()}
    generator = preset.generator
    sizes = {"num-classes": generator.num_classes, "image-size": generator.image_size, "z-dim": generator.z_dim}
    sizes |= {"per-class": config.per_class, "truncation": preset.data.truncation}
    return (
        *("benchmarks/judge.py", "--models", *(f"{name}={what}" for name, what in models.items())),
        *("--classes", preset.data.classes or f"0-{generator.num_classes - 1}", "--reference", preset.data.reals),
        *(word for flag, value in sizes.items() for word in (f"--{flag}", str(value))),
        *("--cache", str(config.folder / "judge-cache"), "--out", str(config.folder / "judged.json")),
    )


def model_name(row: str, budget: int, seed: int) -> str:
    """Return the name of a model of the table where it is judged."""
    return f"{row.replace(', ', '-')}-{budget}-{seed}"


def main(arguments: list[str]) -> None:
    """Run all stages and write the table, or print the commands."""
    config = parse(WidthsConfig, arguments, __doc__ or "")
    plan = stages(config)
    if config.dry_run:
        print_stages(plan)
        return
    run_stages(plan)
    models = config.models()
    write_table(
        config.out,
        models,
        judged=config.folder / "judged.json",
        names={key: model_name(*key) for key in models},
        programs=config.folder / "programs",
        remarks=_remarks(config),
    )


def _remarks(config: WidthsConfig) -> list[str]:
    return [
        f"Preset {config.preset}: full student {config.images:,} images, supernet {config.supernet_images:,}, "
        f"fine-tuning {config.finetune_images:,}; students that are trained alone {config.images_alone:,}, as "
        f"many as the found ones have seen; quantization-aware training {config.qat_images:,}.",
        f"{config.candidates} candidates a search on {config.latents} latents; "
        f"{config.per_class} judged images of each class, none of whose latents training or search has seen.",
    ]


if __name__ == "__main__":
    run_script(main)
