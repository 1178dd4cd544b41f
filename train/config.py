"""A run's whole configuration as frozen dataclasses."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from train.discriminator import DiscriminatorConfig
from train.distributed import World
from train.errors import UserError, at_least, check_ranges
from train.generator import GeneratorConfig


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What the student learns from."""

    teacher: str = "digits"
    """digits, animals, biggan-deep-128, a folder in the library's format, snapshot:FILE, pairs:DIR, or nothing."""
    truncation: float = 0.5
    """Truncation of the teacher's latents, in (0, 1]."""
    per_class: int = 3000
    """Teacher images per class, made once and stored; ignored with pairs:DIR."""
    held_out: int = 5000
    """Pairs of pairs:DIR that are not trained on but judged on, at most a tenth of all; ignored with a teacher."""
    classes: str = ""
    """Classes to learn, such as 0-397; empty means all that the teacher or the real images have."""
    reals: str = "digits"
    """Real images: digits, an image pack (.npz), a folder of class folders, or empty for none."""
    damaged: int = 0
    """How many photos may be left out because they cannot be read; more are an error that names them."""
    mirror: bool = False
    """Show every real image mirrored, left for right, half of the time: for photographs, not for digits."""
    class_embedding: str = ""
    """A .npy file, float [num_classes, class_embedding_dim], that initialises the class embedding."""


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the objective's terms (equations 6 and 7); 0 switches a term off."""

    feature: float = 1.0
    """Of L_KD_feat in the generator's loss; 1 in equation 6."""
    pixel: float = 0.2
    """λ1, of L_KD_pix, at the first step."""
    pixel_decay_end: float = 2 / 3
    """Fraction of the run at which λ1 has fallen, linearly, to zero; 0 keeps it constant."""
    distillation_generator: float = 0.01
    """λ2, of L_KD_S."""
    real_generator: float = 0.002
    """λ3, of L_GAN_S."""
    distillation_discriminator: float = 1.0
    """Of L_KD_D in the discriminator's loss; 1 in equation 7."""
    real_discriminator: float = 0.2
    """λ4, of L_GAN_D."""
    mode_seeking: float = 0.0
    """Of the mode-seeking term, an addition of ours for training from scratch without a teacher."""
    orthogonal: float = 0.0
    """β of BigGAN's orthogonal regularisation of the generator's weights, 1e-4 there: for runs from scratch."""


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """When the generator is updated: the paper's text and the released code differ."""

    kind: Literal["released", "paper"] = "released"
    """released: every step on features and pixels, the adversarial terms join every `every`-th step;
    paper: one update with all terms after `every` discriminator updates."""
    every: int = 5
    """5 in the released code, 10 in the paper's text; BigGAN's two discriminator steps are 2, from scratch."""
    fresh_real_batch: bool = False
    """Judge real images against a second batch of the student's: of their own classes, as often as those come, and
    fresh latents, as the released code does (equation 5). Without it they share the pairs' batch and classes."""


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam and its schedule (Section 5.4)."""

    batch_size: int = 32
    """Images per step over all processes."""
    images: int = 35_819_520
    """Length of the run in images, which is steps × batch size."""
    generator_lr: float = 2e-4
    discriminator_lr: float = 2e-4
    beta1: float = 0.0
    beta2: float = 0.9
    decay_start: float = 0.268
    """Fraction of the run after which both learning rates fall linearly to zero."""
    ema_decay: float = 0.999
    """Of the averaged weights that are the result."""


@dataclasses.dataclass(frozen=True)
class RuntimeConfig:
    """How to run; nothing here changes what is learned, but for rounding."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of convolutions and linears; auto is bfloat16 on CUDA."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile both networks; auto does on CUDA."""
    cuda_graphs: Literal["auto", "on", "off"] = "auto"
    """Record the training step once and replay it, on CUDA in one process; auto does there."""
    log_every: int = 50
    """Steps between two entries of stats.jsonl."""
    grids: int = 10
    """Sample grids over the whole run."""
    checkpoint_minutes: float = 5.0
    """Minutes between two saves of the training state."""
    shared: str = ""
    """Folder of the pairs and decoded photos that runs share, such as one for the whole machine; empty: the
    folder that the run folder is in."""
    snapshots: int = 0
    """Averaged weights to keep over the whole run, for its learning curve; 0 keeps the last ones only."""

    def computes_in_bfloat16(self, device_type: str) -> bool:
        """Return what `precision` means on a device of this type."""
        return self.precision == "bfloat16" or (self.precision == "auto" and device_type == "cuda")

    def compiles(self, device_type: str) -> bool:
        """Return what `compile` means on a device of this type."""
        return self.compile == "on" or (self.compile == "auto" and device_type == "cuda")

    def records_steps(self, world: World) -> bool:
        """Return what `cuda_graphs` means for these processes.

        Raises:
            UserError: asked for where it cannot be.
        """
        possible = world.device.type == "cuda" and world.size == 1
        if self.cuda_graphs == "on" and not possible:
            where = f"{world.size} process(es) on {world.device.type}"
            raise UserError(f"--runtime.cuda-graphs on is for one process on CUDA, not {where}; leave it out")
        return possible and self.cuda_graphs != "off"


_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("augment", "data.truncation"), (0, 1)),
    **dict.fromkeys(("optimizer.decay_start", "optimizer.ema_decay"), (0, 1)),
    "seed": (0, 2**32 - 1),
    "optimizer.beta1": (0, 0.9999),
    "optimizer.beta2": (0, 0.999999),
    **at_least(1, "discriminator.channels", "data.per_class", "schedule.every", "runtime.log_every"),
    **at_least(1, "optimizer.batch_size", "optimizer.images"),
    **at_least(0, *(f"loss.{field.name}" for field in dataclasses.fields(LossConfig))),
    **at_least(0, "data.held_out", "data.damaged", "optimizer.generator_lr", "optimizer.discriminator_lr"),
    **at_least(0, "runtime.grids", "runtime.snapshots", "runtime.checkpoint_minutes"),
}


_NEW = (("loss", "orthogonal"), ("schedule", "fresh_real_batch"))
"""Section and name of what older versions' runs do not know: not recorded where it is off, so that they go on."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that makes a run."""

    run: Path | None = None
    """Run folder; runs/PRESET by default."""
    seed: int = 0
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    augment: float = 0.0
    """Probability of shift and cutout on the discriminator's inputs, for training from scratch."""
    augment_photographs: bool = False
    """Augment as photographs: colours change too, and blanks are grey."""
    initialise: str = ""
    """Weights to start from: a run's folder (an imported one too) with its discriminator, a snapshot
    (.safetensors), or a BigGAN's folder in the library's format. Classes are found again by their names."""
    sizes_from_data: bool = False
    """Take --generator's image size, latent length and number of classes from the stored pairs."""
    dry_run: bool = False
    """Print the resolved configuration and stop."""

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)
        if self.data.truncation == 0:
            raise UserError("--data.truncation must be in (0, 1], not 0")
        if self.optimizer.images < self.optimizer.batch_size:
            raise UserError(
                f"--optimizer.images {self.optimizer.images} is less than one batch of {self.optimizer.batch_size}"
            )

    @property
    def steps(self) -> int:
        """Length of the run in steps."""
        return self.optimizer.images // self.optimizer.batch_size

    def learned(self) -> dict:
        """Return what decides the result, as plain values: all but where and how the run is executed."""
        values = dataclasses.asdict(self)
        for name in ("run", "runtime", "dry_run", "sizes_from_data"):
            del values[name]
        if not self.data.teacher.startswith("pairs:") or not self.data.held_out:
            del values["data"]["held_out"]  # a run that trains on all is what older versions' runs are
        for section, name in _NEW:
            if not values[section][name]:
                del values[section][name]
        return values | {"generator": self.generator.record()}


def without_folders(learned: dict[str, Any]) -> dict[str, Any]:
    """Return `TrainConfig.learned` with files by their names alone, so that a run can go on on another machine."""
    data = dict(learned["data"])
    for name in ("teacher", "reals", "class_embedding"):
        kind, colon, path = data[name].rpartition(":")
        data[name] = f"{kind}{colon}{Path(path).name}"
    return learned | {"data": data, "initialise": Path(learned["initialise"]).name}
