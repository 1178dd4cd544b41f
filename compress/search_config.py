"""What a width search can be told."""

import dataclasses
from pathlib import Path
from typing import Any

from compress.config import Places, check_length
from compress.evolution import EvolutionConfig
from compress.program_costs import TABLE_FILE
from train.config import TrainConfig
from train.errors import UserError, at_least, check_ranges


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Which student is made narrower, to which budgets, and how long is trained and searched."""

    run: Path = Path("runs/digits")
    """Run folder of the student, which has to have a teacher."""
    macs: tuple[str, ...] = ()
    """Budgets in multiply-accumulates per image of the deploy form, such as 160M, 0.16G, or 50% of the full
    student's; no budget at all: only say how far they reach."""
    ms: tuple[str, ...] = ()
    """Budgets in milliseconds per image of the int8 XNNPACK program, such as 2.5 or 50%."""
    bytes: tuple[str, ...] = ()
    """Budgets in bytes of that program, such as 300k or 50%."""
    programs: Path | None = None
    """Table of measured programs that ms and bytes are fitted to, a phone's for example; by default
    <run>/search/programs.json, which benchmarks/time_widths.py makes here."""
    machine: str | None = None
    """Machine that has to have measured them; by default this one."""
    out: Path | None = None
    """Where supernet and found students go; by default <run>/search."""
    supernet: Path | None = None
    """Folder of the supernet, which several searches may share; by default <out>/supernet."""
    images: int | None = None
    """Length of the supernet's training in images; left out: as long as the run."""
    learning_rate_share: float = 1.0
    """Learning rates of the supernet's training at the beginning, as a share of the run's."""
    intermediate: float = 0.0
    """Weight of the distance to the full student's features, in the supernet's training and in fine-tuning; a
    relative squared distance, through 1×1 adapters that are dropped afterwards."""
    finetune_images: int | None = None
    """Length of the fine-tuning of each found student, which is kept if it came nearer to the teacher; left out:
    a quarter of the run; 0: none."""
    finetune_share: float = 0.3
    """Learning rates of the fine-tuning at the beginning, as a share of the run's."""
    seed: int = 0
    """Of the widths that are trained and searched."""
    evolution: EvolutionConfig = EvolutionConfig()
    latents: int = 512
    """Held-out latents that candidates are compared with the teacher on, and as many that their norms' statistics
    are measured on."""
    final_latents: int = 2000
    """Latents that the found student's statistics are measured on."""
    data: Places = Places()
    device: str = "auto"
    """auto, cpu or cuda."""
    checkpoint_minutes: float = 5.0
    """Minutes between two saves of the supernet's training state."""

    def __post_init__(self) -> None:
        check_ranges(self, at_least(1, "latents", "final_latents", "evolution.population", "evolution.parents"))
        check_ranges(self, {"evolution.mutation": (0, 1)})
        check_ranges(
            self, at_least(0, "evolution.rounds", "learning_rate_share", "finetune_share", "intermediate")
        )
        if self.evolution.parents >= self.evolution.population:
            raise UserError(
                f"--evolution.parents {self.evolution.parents} leave no room for children in a population of "
                f"{self.evolution.population}; give fewer"
            )

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or self.run / "search"

    @property
    def supernet_folder(self) -> Path:
        """Where the supernet is."""
        return self.supernet or self.folder / "supernet"

    @property
    def programs_file(self) -> Path:
        """Where the table of measured programs is."""
        return self.programs or self.run / "search" / TABLE_FILE

    def supernet_settings(self, run: TrainConfig) -> TrainConfig:
        """Return the run's settings, all its terms included, with the length and rates of the supernet's training.

        Raises:
            UserError: it is shorter than one of the run's batches.
        """
        images = run.optimizer.images if self.images is None else self.images
        check_length("--images", images, run)
        return self._trained_on(run, images, self.learning_rate_share)

    def finetune_settings(self, run: TrainConfig) -> TrainConfig | None:
        """Return the same for the fine-tuning of a found student, at constant losses; None where there is none.

        Raises:
            UserError: it is shorter than one of the run's batches.
        """
        images = run.optimizer.images // 4 if self.finetune_images is None else self.finetune_images
        if not images:
            return None
        check_length("--finetune-images", images, run)
        config = self._trained_on(run, images, self.finetune_share)
        return dataclasses.replace(config, loss=dataclasses.replace(config.loss, pixel_decay_end=0.0))

    def _trained_on(self, run: TrainConfig, images: int, share: float) -> TrainConfig:
        optimizer = dataclasses.replace(
            run.optimizer,
            images=images,
            generator_lr=run.optimizer.generator_lr * share,
            discriminator_lr=run.optimizer.discriminator_lr * share,
        )
        data = dataclasses.replace(run.data, **{k: v for k, v in vars(self.data).items() if v is not None})
        return dataclasses.replace(run, optimizer=optimizer, data=data)

    def learned(self) -> dict[str, Any]:
        """Return what decides the supernet, as plain values."""
        return {name: getattr(self, name) for name in ("images", "learning_rate_share", "intermediate", "seed")}

    def searched(self) -> dict[str, Any]:
        """Return what decides a found student, beside the supernet and the budget, as plain values."""
        return self.learned() | {
            "evolution": dataclasses.asdict(self.evolution),
            "latents": self.latents,
            "final_latents": self.final_latents,
            "finetune_images": self.finetune_images,
            "finetune_share": self.finetune_share,
        }
