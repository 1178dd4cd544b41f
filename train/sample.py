"""Draw from a student: a grid of classes, interpolation strips, or the images of given latents.

    python train/sample.py --run runs/digits
    python train/sample.py --interpolate class --classes 3,8,5
    python train/sample.py --checkpoint student.safetensors --latents in.npz --save-arrays out.npz

The same seed and snapshot give the same bytes on the same machine.
"""

import contextlib
import dataclasses
import itertools
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.lib.npyio import NpzFile

from train.classes import classes_text, first_synonym, parse_classes
from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_writable, save_arrays, short_name
from train.generator import Generator
from train.images import save_png, to_bytes
from train.noise import consecutive_seeds, draw_latents
from train.sampling import generate, generate_mixtures, labelled_rows
from train.snapshot import SnapshotInfo, load_student

_DEFAULT_RUN = Path("runs/digits")
_DEFAULT_CLASS_COUNT = 10
_IN_NAME = ("classes", "seed", "truncation", "columns", "steps")
_SMALLEST_TILE = 96  # pixels; smaller images are enlarged, so that the labels can be read


@dataclasses.dataclass(frozen=True)
class SampleConfig:
    """What to draw, from which snapshot, and where to put it."""

    run: Path | None = None
    """Run folder of the student; runs/digits unless --checkpoint is given."""
    checkpoint: Path | None = None
    """One snapshot file, float or int8, in place of --run."""
    classes: str | None = None
    """Classes to draw, such as 0-9 or 3,7; left out: the trained ones, or 10 spread evenly over them."""
    seed: int = 0
    """Image k of the grid takes the latent of seed + k; from 0 to 2^64 - 1."""
    truncation: float | None = None
    """Truncation of the latents, in (0, 1]; left out: the one that the student was trained on."""
    columns: int = 8
    """Images per class in the grid."""
    interpolate: Literal["z", "class"] | None = None
    """Strips in place of the grid. z: from one latent to another, a row for each class. class: from each
    class to the next one, a row for each latent."""
    steps: int = 8
    """Images per strip, both ends included."""
    out: Path | None = None
    """The PNG; left out: <run>/samples/grid.png, or a file beside the checkpoint; what is asked for beyond the
    default is in its name."""
    latents: Path | None = None
    """Draw these, without a PNG: a .npz of z, float32 [N, z_dim] with its truncation, and y, int64 [N]."""
    save_arrays: Path | None = None
    """Write z, y and images, float32 [N, 3, H, W] in [-1, 1], to this .npz."""


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Images in rows of equal length, and what they were made from."""

    images: torch.Tensor
    z: torch.Tensor
    y: torch.Tensor | None
    """None where the images lie between two classes."""
    left: list[str]
    """A label for each row."""
    right: list[str]
    """A label for the far end of each row, or none."""


def main(arguments: list[str]) -> None:
    """Run the script on `arguments`."""
    config = parse(SampleConfig, arguments, "Draw images from a student's snapshot.")
    _check_flags(config)
    snapshot = config.checkpoint or (config.run or _DEFAULT_RUN) / "student.safetensors"
    generator, info = load_student(snapshot)
    if config.save_arrays is not None:
        _check_target(config.save_arrays, "--save-arrays", ".npz")
    if config.latents is not None:
        z, y = _read_latents(config.latents, info)
        images = generate(generator, z, y)
    else:
        out = config.out or _default_out(config, snapshot)
        _check_target(out, "--out", ".png")
        drawing = _draw(config, generator, info)
        _save_sheet(drawing, out)
        z, y, images = drawing.z, drawing.y, drawing.images
        print(f"wrote {out}: {len(drawing.left)} rows of {len(z) // len(drawing.left)} images")
    if config.save_arrays is not None:
        assert y is not None
        _save_arrays(config.save_arrays, z, y, images)
        print(f"wrote {config.save_arrays}: {len(images)} images as arrays")


def _check_flags(config: SampleConfig) -> None:
    if config.run is not None and config.checkpoint is not None:
        raise UserError(f"--run {config.run} and --checkpoint {config.checkpoint} exclude each other; give one")
    if config.truncation is not None and not 0 < config.truncation <= 1:
        raise UserError(f"--truncation {config.truncation} is not in (0, 1]; the paper's is 0.5")
    if not 0 <= config.seed < 2**64:
        raise UserError(f"--seed {config.seed} is not in 0 ... 2^64 - 1")
    if config.columns < 1:
        raise UserError(f"--columns {config.columns} leaves nothing to draw; give at least 1")
    if config.steps < 2:
        raise UserError(f"--steps {config.steps} has no room for both ends of a strip; give at least 2")
    if config.interpolate == "class" and config.save_arrays is not None:
        raise UserError("--save-arrays stores one class per image, and --interpolate class has two; leave one out")
    if config.latents is not None:
        _check_flags_with_latents(config)


def _check_flags_with_latents(config: SampleConfig) -> None:
    if config.save_arrays is None:
        raise UserError(f"--latents {config.latents} needs --save-arrays OUT.npz to put the images into")
    for name in ("classes", "truncation", "interpolate", "out"):
        if getattr(config, name) is not None:
            raise UserError(f"--latents {config.latents} already fixes what is drawn; leave out --{name}")


def _default_out(config: SampleConfig, snapshot: Path) -> Path:
    kind = f"interpolate_{config.interpolate}" if config.interpolate else "grid"
    # What was asked for is in the name: the grid of a run that other stages leave is the default one.
    plain = {field.name: field.default for field in dataclasses.fields(config)}
    asked = {key: getattr(config, key) for key in _IN_NAME}
    changed = [f"{key}-{value}" for key, value in asked.items() if value != plain[key]]
    name = short_name("_".join([kind, *changed]).replace(" ", ""), 80)
    if config.checkpoint is not None:
        return snapshot.with_name(f"{snapshot.stem}_{name}.png")
    return snapshot.parent / "samples" / f"{name}.png"


def _check_target(path: Path, flag: str, suffix: str) -> None:
    """Find out before the work whether the result can be written."""
    if path.suffix.lower() != suffix:
        raise UserError(f"{flag} {path} must end in {suffix}")
    if path.is_dir():
        raise UserError(f"{flag} {path} is a folder; name a file in it")
    check_writable(path.parent, flag)


def _draw(config: SampleConfig, generator: Generator, info: SnapshotInfo) -> Drawing:
    classes = _choose_classes(config.classes, info)
    truncation = info.truncation if config.truncation is None else config.truncation

    def latents(count: int) -> torch.Tensor:
        seeds = consecutive_seeds(config.seed, count)
        return torch.from_numpy(draw_latents(info.sampler, seeds, info.generator.z_dim, truncation))

    names = [first_synonym(info.classes[index]) for index in classes]
    if config.interpolate == "class":
        if len(classes) < 2:
            raise UserError(f"--interpolate class needs two classes or more, not {names[0]!r} alone")
        z = latents(len(classes) - 1).repeat_interleave(config.steps, dim=0)
        with torch.no_grad():
            embeddings = generator.class_embedding(torch.tensor(classes))
        mixtures = _walks(embeddings[:-1], embeddings[1:], config.steps)
        return Drawing(generate_mixtures(generator, z, mixtures), z, None, names[:-1], names[1:])
    if config.interpolate == "z":
        ends = latents(2 * len(classes))
        z, count = _walks(ends[::2], ends[1::2], config.steps), config.steps
    else:
        z, count = latents(len(classes) * config.columns), config.columns
    y = torch.tensor(classes).repeat_interleave(count)
    return Drawing(generate(generator, z, y), z, y, names, [])


def _walks(starts: torch.Tensor, ends: torch.Tensor, steps: int) -> torch.Tensor:
    """Walk straight from each start to its end: two [R, D] → [R · steps, D]."""
    weight = torch.linspace(0, 1, steps)[:, None]
    return ((1 - weight) * starts[:, None] + weight * ends[:, None]).flatten(0, 1)


def _choose_classes(text: str | None, info: SnapshotInfo) -> list[int]:
    if text is not None:
        # Part by part, which keeps the order given: --interpolate class walks along it.
        parts = [parse_classes(part, info.generator.num_classes) for part in text.split(",")]
        classes = list(dict.fromkeys(itertools.chain(*parts)))
        _check_trained(classes, info, "--classes")
        return classes
    trained = sorted(info.classes)
    count = min(len(trained), _DEFAULT_CLASS_COUNT)
    return [trained[k * len(trained) // count] for k in range(count)]


def _check_trained(classes: Collection[int], info: SnapshotInfo, where: str) -> None:
    strangers = sorted(set(classes) - info.classes.keys())
    if strangers:
        raise UserError(
            f"{where}: the student was not trained on {classes_text(strangers)}; "
            f"choose from {classes_text(sorted(info.classes))}"
        )


def _read_latents(path: Path, info: SnapshotInfo) -> tuple[torch.Tensor, torch.Tensor]:
    if not path.is_file():
        raise UserError(f"no latents at {path}; --latents takes a .npz of z and y")
    try:
        with open(path, "rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, NpzFile):
                raise ValueError("a single array")
            arrays = {name: content[name] for name in content.files}
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
        raise UserError(
            f"{path} is not a readable .npz; write it with numpy.savez({path.name!r}, z=z, y=y)"
        ) from None
    missing = [name for name in ("z", "y") if name not in arrays]
    if missing:
        raise UserError(f"{path} holds no {missing[0]!r}, only {sorted(arrays)}; it needs z and y")
    z, y = arrays["z"], arrays["y"]
    shape = (len(y) if y.ndim else 0, info.generator.z_dim)
    if z.dtype != np.float32 or z.shape != shape:
        raise UserError(
            f"{path}: z is {z.dtype} {list(z.shape)}, not float32 {list(shape)} as y and the student ask"
        )
    if y.dtype != np.int64 or y.ndim != 1 or not len(y):
        raise UserError(f"{path}: y is {y.dtype} {list(y.shape)}, not int64 [N] with N at least 1")
    if not np.isfinite(z).all():
        raise UserError(f"{path}: z holds NaN or infinite values; draw it again")
    outside = y[(y < 0) | (y >= info.generator.num_classes)]
    if len(outside):
        raise UserError(f"{path}: y holds {outside[0]}, outside the classes 0-{info.generator.num_classes - 1}")
    _check_trained(y.tolist(), info, str(path))
    return torch.from_numpy(z), torch.from_numpy(y)


def _save_sheet(drawing: Drawing, path: Path) -> None:
    rows = np.split(to_bytes(drawing.images), len(drawing.left))
    scale = -(-_SMALLEST_TILE // drawing.images.shape[-1])
    picture = labelled_rows(rows, drawing.left, drawing.right, scale)
    with _one_line(path):
        save_png(picture, path)


def _save_arrays(path: Path, z: torch.Tensor, y: torch.Tensor, images: torch.Tensor) -> None:
    with _one_line(path):
        save_arrays(path, {"z": z.numpy(), "y": y.numpy(), "images": images.numpy()})


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}); choose another place") from None


if __name__ == "__main__":
    run_script(main)
