"""What the animals' script can be told, and the settings of every run that follow from it."""

import dataclasses
from pathlib import Path
from typing import Literal

from compress.config import QatConfig
from train.config import RuntimeConfig, TrainConfig
from train.errors import UserError
from train.presets import ANIMALS64, PRESETS, TINY_IMAGENET_ANIMALS

TEACHER, STUDENT, INT8 = "teacher", "student", "int8"
# Folder of each student → its preset and what it is called in the table. Those after the first two are the
# paper's Table 2 without its first row.
STUDENTS = {
    STUDENT: ("animals64", "all terms"),
    "scratch": ("scratch-animals64-student", "from scratch: L_GAN alone"),
    "no-feature": ("animals64-no-feature", "− L_KD_feat"),
    "no-real": ("animals64-no-real", "− L_GAN"),
    "no-adversarial": ("animals64-no-adversarial", "− L_KD_S, L_KD_D"),
    "pixel-only": ("animals64-pixel-only", "L_KD_pix alone"),
}
_TEACHER = PRESETS["scratch-animals64"][1]


@dataclasses.dataclass(frozen=True)
class AnimalsConfig:
    """The data, how long the stages are, and what to bring in and out."""

    photos: Path
    """Image pack (.npz) to train on."""
    validation: Path
    """Image pack with other photos of the same classes, to measure distances to."""
    root: Path = Path("runs")
    """The runs lie in its folder animals64."""
    minutes: float | None = None
    """Stop after so long, saved, with exit status 0; 0 only packs and unpacks; none: go on to the end."""
    reserve_minutes: float = 1.0
    """Of --minutes, kept at the end for packing; nor does a stage begin in as long before that."""
    images_teacher: int = _TEACHER.optimizer.images
    """Length of the teacher's training in images."""
    images_student: int = ANIMALS64.optimizer.images
    """Length of the training of every student in images: the same for all rows."""
    images_int8: int = QatConfig.images
    """Length of the quantization-aware training in images."""
    per_class: int = ANIMALS64.data.per_class
    """Pairs of each class."""
    classes: str = TINY_IMAGENET_ANIMALS
    """ImageNet classes, which both packs have."""
    channels_teacher: int = 28
    """Width of the teacher; the preset's 48 makes a state too large to be carried away at once."""
    channels_student: int = ANIMALS64.generator.channels
    """Width of the students."""
    channels_discriminator: int = ANIMALS64.discriminator.channels
    """Width of the students' discriminators."""
    channels_discriminator_teacher: int = _TEACHER.discriminator.channels
    """Width of the teacher's discriminator."""
    batch_teacher: int = _TEACHER.optimizer.batch_size
    """Images per step of the teacher's training."""
    batch_student: int = ANIMALS64.optimizer.batch_size
    """Images per step of the students' training."""
    judged_per_class: int = 100
    """Images of each class that every row is judged on."""
    features: Path | None = None
    """TorchScript feature network for the Fréchet distance; without it there is none in the table."""
    inception: Path | None = None
    """The standard inception-2015-12-05.pt, for FID itself."""
    classifier: Path | None = None
    """TFLite ImageNet classifier for top-1 and top-5; without it there is none in the table."""
    out: Path = Path("benchmarks/animals64.json")
    """The table; a .md file is written beside it."""
    unpack: Path | None = None
    """Bring in what --pack wrote there, before anything else; nothing that got further here is touched."""
    pack: Path | None = None
    """At the end, write all that is needed to go on elsewhere into this folder, in parts."""
    lean: bool = False
    """Pack only what the stages that train still need; results to be judged stay behind."""
    part_mib: float = 15.0
    """Largest part of a pack."""
    pack_limit_mib: float = 60.0
    """Refuse a teacher whose state alone may be larger than this, packed; 0: no limit."""
    device: str = "auto"
    """auto, cpu or cuda."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile the networks; auto does on CUDA."""

    def __post_init__(self) -> None:
        lowest = {"per_class": 1, "judged_per_class": 2, "part_mib": 0.01, "pack_limit_mib": 0, "images_int8": 1}
        # A narrower teacher has no channels left in its attention.
        lowest |= {"channels_teacher": 4, "channels_student": 1, "channels_discriminator": 1}
        lowest |= {"channels_discriminator_teacher": 1, "reserve_minutes": 0}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise UserError(f"--{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}")
        if self.minutes is not None and self.minutes < 0:
            raise UserError(f"--minutes must not be negative, not {self.minutes:g}")
        if self.minutes and self.minutes <= 2 * self.reserve_minutes:
            raise UserError(
                f"--minutes {self.minutes:g} leave no time to begin a stage; give more than twice the "
                f"--reserve-minutes {self.reserve_minutes:g}, or fewer of those"
            )
        for stage, batch in (("teacher", self.batch_teacher), ("student", self.batch_student)):
            images = getattr(self, f"images_{stage}")
            if not 1 <= batch <= images:
                raise UserError(f"--images-{stage} {images} must be at least --batch-{stage} {batch}, and that 1")

    @property
    def folder(self) -> Path:
        """Where the runs lie."""
        return self.root / "animals64"

    @property
    def pairs(self) -> Path:
        """Where the teacher's images lie."""
        return self.folder / "pairs"

    def teacher(self) -> TrainConfig:
        """Return the settings of the teacher's training."""
        critic = self.channels_discriminator_teacher
        return self._sized(_TEACHER, self.channels_teacher, critic, self.images_teacher, self.batch_teacher)

    def student(self, name: str) -> TrainConfig:
        """Return the settings of a row of `STUDENTS`; they differ in nothing but objective and schedule."""
        preset = PRESETS[STUDENTS[name][0]][1]
        critic = self.channels_discriminator
        return self._sized(preset, self.channels_student, critic, self.images_student, self.batch_student)

    def runs(self) -> dict[str, TrainConfig]:
        """Return the settings of every training of a float network by its folder."""
        return {TEACHER: self.teacher()} | {name: self.student(name) for name in STUDENTS}

    def qat(self) -> QatConfig:
        """Return the settings of the quantization-aware training."""
        return QatConfig(run=self.folder / STUDENT, images=self.images_int8, device=self.device)

    def _sized(
        self, preset: TrainConfig, channels: int, critic_channels: int, images: int, batch_size: int
    ) -> TrainConfig:
        change = dataclasses.replace
        teacher = f"pairs:{self.pairs}" if preset.data.teacher else ""
        return change(
            preset,
            generator=change(preset.generator, channels=channels),
            discriminator=change(preset.discriminator, channels=critic_channels),
            data=change(preset.data, teacher=teacher, reals=str(self.photos), classes=self.classes),
            optimizer=change(preset.optimizer, images=images, batch_size=batch_size),
            runtime=RuntimeConfig(device=self.device, compile=self.compile),
        )
