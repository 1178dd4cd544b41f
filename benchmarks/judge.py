r"""Judge any generators by their images of the same latents: no run folder and no export are needed.

    python benchmarks/judge.py --models teacher=teacher:runs/animals64/teacher/teacher \
        float=runs/animals64/student/student.safetensors photos=reals:TRAIN.npz \
        --reference VALIDATION.npz --features NETWORK.pt --out benchmarks/animals64.json

A model is NAME=WHAT, and WHAT a student (.safetensors, float or int8), `teacher:` and anything that --teacher of
train/collect.py takes, `reals:` and photos, or `images:` and a .npy of images that somebody else's generator has
drawn for the same classes in turn. The names teacher, float and control are what the others are compared with.
Latents follow the law that the generators have learned from, which is one for all of them.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawing import Drawer, Given, student_drawer, teacher_drawer
from benchmarks.judged import TEACHER, described_law
from benchmarks.quality.evaluate import Asked, Quality, QualitySettings, evaluate
from benchmarks.quality.features import choose_device, open_features, open_lite0
from benchmarks.quality.inception_file import find_inception
from benchmarks.quality.nearest import nearest, nearest_sheet
from benchmarks.quality.reference import FeatureStore, images_hash
from benchmarks.tables import quality_table
from train.classes import class_names, first_synonym, parse_classes
from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_writable, file_hash, write_json, write_text
from train.images import save_png
from train.judging import JUDGED_SEED
from train.noise import SAMPLER, check_drawable, latents_in_turn, law_of
from train.reals import LEAVE_OUT, RealImages, open_reals
from train.sampling import labelled_rows
from train.snapshot import load_student
from train.teacher import open_teacher

FORMAT = "tinygan-edge-judged-1"
_SHEET_CLASSES, _SHEET_LATENTS, _NEAREST = 16, 3, 16
_PHOTOS = "reals"  # the kind of model that is no generator


@dataclasses.dataclass(frozen=True)
class JudgeConfig:
    """What to judge, by what, and where to write."""

    models: tuple[str, ...]
    """NAME=WHAT of each, in the order of the table's rows."""
    classes: str
    """Classes to draw, such as 0-9."""
    out: Path
    """The table as JSON; a .md file and pictures are written beside it."""
    num_classes: int = 1000
    """How many classes the indices count through."""
    image_size: int = 64
    """Pixels per side."""
    z_dim: int = 128
    """Length of the latents."""
    per_class: int = 100
    """Images of each class."""
    truncation: float = 0.5
    """Of the latents."""
    seed: int = JUDGED_SEED
    """Of the first latent; the default lies beyond all that training uses."""
    reference: str = ""
    """Photos to compare with: digits, a folder of class folders or a pack; best those that nobody trained on."""
    damaged: int = 0
    """How many photos of a set may be left out because they cannot be read."""
    inception: Path | None = None
    """The standard inception-2015-12-05.pt, for FID itself; by default the one in clean-fid's cache, if any."""
    download: bool = False
    """Fetch that file into clean-fid's cache if it is not there."""
    features: Path | None = None
    """Any TorchScript feature network; its name and dimensions are part of its metrics' names."""
    lite0: bool = True
    """A Fréchet distance on EfficientNet-lite0, which needs no file; no judge of what was trained against it."""
    classifier: Path | None = None
    """TFLite ImageNet classifier: does it see the class that was asked for?"""
    nearest: str = ""
    """Photos that training saw: the nearest of them to images of the first generator but the teacher are drawn."""
    columns: tuple[str, ...] = ()
    """Beginnings of the metrics' names that the .md shows; all by default."""
    cache: Path = Path("runs/judge-cache")
    """Images and features that were made already."""
    device: str = "auto"
    """auto, cpu or cuda."""


def main(arguments: list[str]) -> None:
    """Draw, judge, write.

    Raises:
        UserError: a model that is none, or as `benchmarks.quality.evaluate`.
    """
    config = parse(JudgeConfig, arguments, __doc__ or "")
    check_writable(config.out.parent, "--out")
    classes = parse_classes(config.classes, config.num_classes)
    names = {label: first_synonym(class_names(config.num_classes)[label]) for label in classes}
    count = config.per_class * len(classes)
    called = [model.partition("=")[0] for model in config.models]
    if twice := [name for name in called if called.count(name) > 1]:
        raise UserError(f"--models has two called {twice[0]!r}; give each a name of its own")
    models = [_open(model, config, classes) for model in config.models]
    drawers, sampler = [drawer for drawer, _ in models], _one_law([law for _, law in models if law], config)
    z, y = latents_in_turn(classes, config.seed, count, config.z_dim, config.truncation, sampler=sampler)
    images = {}
    for drawer in drawers:
        images[drawer.name] = _of_size(drawer.images(z, y, config.cache / "images"), drawer.name, count, config)
    reals = _reals(config.reference, config, classes) if config.reference else None
    quality = evaluate(
        images,
        Asked(y, config.truncation, config.seed, latents=described_law(sampler), names=names),
        _settings(config),
        # The table is read where the photos lie elsewhere, or not at all.
        reals=dataclasses.replace(reals, source=Path(reals.source).name) if reals else None,
        picture=config.out.with_name(f"{config.out.stem}_worst.png"),
        worst_of=_shown(config),
    )
    _write(config, drawers, quality)
    _draw_sheet(images, classes, names, config.out.with_name(f"{config.out.stem}_samples.png"))
    if config.nearest:
        _draw_nearest(images, config, classes)
    print(f"table: {config.out}, {config.out.with_suffix('.md')}; pictures beside it")


@dataclasses.dataclass(frozen=True)
class _Law:
    """The latents that a model is drawn from."""

    model: str
    sampler: str
    z_dim: int


def _open(model: str, config: JudgeConfig, classes: Sequence[int]) -> tuple[Drawer | Given, _Law | None]:
    """Return what has the images of a model, and the latents that it wants, where it draws."""
    name, found, what = model.partition("=")
    kind, _, path = what.partition(":")
    if not (found and name and what):
        raise UserError(f"--models {model!r} is not NAME=WHAT, such as float=runs/digits/student.safetensors")
    device = choose_device(config.device)
    if kind == "teacher":
        teacher = open_teacher(path, config.truncation)
        return teacher_drawer(name, teacher, device), _Law(name, teacher.sampler, teacher.z_dim)
    if kind == _PHOTOS:
        reals = _reals(path, config, classes)
        return Given(name, images_hash(reals.images), lambda y: _photos_in_turn(reals, y)), None
    stored = Path(path if kind == "images" else what)
    if not stored.is_file():
        raise UserError(f"--models {model}: no file at {stored}")
    if kind == "images":
        return Given(name, file_hash(stored), lambda _y: _read_images(stored)), None
    info = load_student(stored)[1]
    return student_drawer(name, stored, device), _Law(name, info.sampler, info.generator.z_dim)


def _one_law(laws: Sequence[_Law], config: JudgeConfig) -> str:
    """Return the sampler of all models, the default one where none of them draws.

    Raises:
        UserError: they want latents of different laws or lengths, or such as nothing draws.
    """
    for law in laws:
        check_drawable(law.sampler, law.model)
        if law.z_dim != config.z_dim:
            raise UserError(
                f"{law.model} has latents of {law.z_dim} numbers, not {config.z_dim}; pass --z-dim {law.z_dim}"
            )
        if law.sampler != laws[0].sampler:
            raise UserError(
                f"{laws[0].model} draws from the law {law_of(laws[0].sampler)}, {law.model} from "
                f"{law_of(law.sampler)}; judge them in two calls"
            )
    return laws[0].sampler if laws else SAMPLER


def _reals(source: str, config: JudgeConfig, classes: Sequence[int]) -> RealImages:
    return open_reals(
        source,
        config.image_size,
        classes,
        config.num_classes,
        config.cache / "reals",
        damaged=config.damaged,
        remedy=LEAVE_OUT,
    )


def _photos_in_turn(reals: RealImages, y: np.ndarray) -> np.ndarray:
    """Return another photo of its class for each of y, as far as there are some."""
    images = np.empty((len(y), *reals.images.shape[1:]), np.uint8)
    for label in np.unique(y):
        wanted, there = np.flatnonzero(y == label), reals.by_class[int(label)]
        if len(there) < len(wanted):
            raise UserError(
                f"{reals.source} has {len(there)} photos of class {label}, {len(wanted)} are judged; "
                f"pass --per-class {len(there)} or fewer"
            )
        images[wanted] = reals.images[there[: len(wanted)]]
    return images


def _read_images(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a readable .npy file ({error})") from None


def _of_size(images: np.ndarray, name: str, count: int, config: JudgeConfig) -> np.ndarray:
    expected = (count, config.image_size, config.image_size, 3)
    if images.dtype != np.uint8 or images.shape != expected:
        raise UserError(
            f"{name} has {images.dtype} images {list(images.shape)}, not uint8 {list(expected)}; "
            "check --image-size, --per-class and --classes"
        )
    return images


def _settings(config: JudgeConfig) -> QualitySettings:
    return QualitySettings(
        inception=find_inception(config.inception, download=config.download),
        preprocessing=("legacy_tensorflow",),
        features=config.features,
        lite0=config.lite0,
        classifier=config.classifier,
        digits=config.reference == "digits",
        cross_check=(),
        device=config.device,
        cache=config.cache / "features",
    )


def _write(config: JudgeConfig, drawers: Sequence[Drawer | Given], quality: Quality) -> None:
    rows = [
        {
            "key": f"quality/{drawer.name}",
            "name": drawer.name,
            "inputs": drawer.inputs,
            **quality.rows[drawer.name],
        }
        for drawer in drawers
    ]
    note = {
        "columns": quality.columns,
        "real_to_real": quality.floor,
        "per_class": quality.per_class,
        "protocol": quality.record,
        "left_out": quality.notes,
    }
    content: dict[str, Any] = {"format": FORMAT, "quality": rows, "notes": {"quality": note}}
    write_json(config.out, content)
    wanted = [key for key in quality.columns if key.startswith(config.columns)] if config.columns else []
    table = quality_table(content, wanted)
    assert table is not None
    write_text(config.out.with_suffix(".md"), table.markdown())
    print(table.markdown())


def _draw_sheet(images: dict[str, np.ndarray], classes: Sequence[int], names: dict[int, str], path: Path) -> None:
    """Draw the first latents one after the other: a row of each model's images, a column for each class."""
    shown = classes[:_SHEET_CLASSES]
    starts = range(0, len(classes) * _SHEET_LATENTS, len(classes))
    rows = [drawn[start:][: len(shown)] for start in starts for drawn in images.values() if start < len(drawn)]
    labels = list(images) * (len(rows) // len(images))
    picture = labelled_rows(rows, labels, above=[names[label] for label in shown], group=len(images))
    save_png(picture, path)


def _shown(config: JudgeConfig) -> str:
    """Return the model that pictures are of: the first generator but the teacher, or that; "" without any."""
    named = [(name, what.partition(":")[0]) for name, _, what in (model.partition("=") for model in config.models)]
    drawn = [name for name, kind in named if kind != _PHOTOS]
    return next((name for name in drawn if name != TEACHER), drawn[0] if drawn else "")


def _draw_nearest(images: dict[str, np.ndarray], config: JudgeConfig, classes: Sequence[int]) -> None:
    name = _shown(config)
    if not name:
        raise UserError("--nearest is for images of a generator; give one with --models, or leave it out")
    photos = _reals(config.nearest, config, classes)
    device = choose_device(config.device)
    network = open_features(config.features, device) if config.features else open_lite0(device)
    store = FeatureStore(config.cache / "features", QualitySettings.batch_size)
    chosen = nearest(
        # As the table has measured them: they come from the store.
        store.measure(network, images[name], name).features[:_NEAREST],
        store.measure(network, photos.images, "the photos to look among").features,
    )
    path = config.out.with_name(f"{config.out.stem}_nearest.png")
    save_png(nearest_sheet(np.array(images[name][:_NEAREST]), photos.images[chosen]), path)


if __name__ == "__main__":
    run_script(main)
