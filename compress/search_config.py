"""What a width search can be told."""

import dataclasses
from pathlib import Path
from typing import Any

from compress.config import Places, check_length
from compress.evolution import EvolutionConfig
from train.config import TrainConfig
from train.errors import UserError


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Which student is made narrower, to which budgets, and how long is trained and searched."""

    run: Path = Path("runs/digits")
    """Run folder of the student, which has to have a teacher."""
    macs: tuple[str, ...] = ()
    """Budgets in multiply-accumulates per image of the deploy form, such as 160M or 0.16G; none: only say how far
    they reach."""
    out: Path | None = None
    """Where supernet and found students go; by default <run>/search."""
    images: int | None = None
    """Length of the supernet's training in images; left out: as long as the run."""
    learning_rate_share: float = 1.0
    """Learning rates of the supernet's training at the beginning, as a share of the run's."""
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
        counts = {"latents": self.latents, "final-latents": self.final_latents}
        counts |= {f"evolution.{name}": getattr(self.evolution, name) for name in ("population", "parents")}
        for flag, value in counts.items():
            if value < 1:
                raise UserError(f"--{flag} must be at least 1, not {value}")
        if self.evolution.parents >= self.evolution.population:
            raise UserError(
                f"--evolution.parents {self.evolution.parents} leave no room for children in a population of "
                f"{self.evolution.population}; give fewer"
            )
        if self.evolution.rounds < 0:
            raise UserError(f"--evolution.rounds must not be negative, not {self.evolution.rounds}")
        if not 0 <= self.evolution.mutation <= 1:
            raise UserError(f"--evolution.mutation must be in [0, 1], not {self.evolution.mutation}")
        if self.learning_rate_share < 0:
            raise UserError(f"--learning-rate-share must not be negative, not {self.learning_rate_share}")

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or self.run / "search"

    def supernet_settings(self, run: TrainConfig) -> TrainConfig:
        """Return the run's settings, all its terms included, with the length and rates of the supernet's training.

        Raises:
            UserError: it is shorter than one of the run's batches.
        """
        images = run.optimizer.images if self.images is None else self.images
        check_length("--images", images, run)
        share = self.learning_rate_share
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
        return {name: getattr(self, name) for name in ("images", "learning_rate_share", "seed")}

    def searched(self) -> dict[str, Any]:
        """Return what decides a found student, beside the supernet and the budget, as plain values."""
        return self.learned() | {
            "evolution": dataclasses.asdict(self.evolution),
            "latents": self.latents,
            "final_latents": self.final_latents,
        }
