"""Golden latents and the images that the students make of them: what every artifact is measured against."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import torch

from deploy.source import ExportSource, Reference
from train.errors import UserError
from train.files import save_arrays, write_atomically
from train.images import to_bytes
from train.noise import consecutive_seeds, draw_latents

GOLDEN_FILE = "golden.npz"
COUNT = 32
FIRST_SEED = 20_201_130  # any; latents that no training or calibration has seen


def inputs_of(z: np.ndarray, y: int, num_classes: int, *, one_class: bool) -> tuple[np.ndarray, ...]:
    """Return an artifact's inputs for one image, each float32 [1, length], of z float32 [z_dim] and class y."""
    if one_class:
        return (z[None],)
    weights = np.zeros((1, num_classes), np.float32)
    weights[0, y] = 1
    return z[None], weights


@dataclasses.dataclass(frozen=True)
class Golden:
    """Latents, classes and images."""

    seeds: np.ndarray
    """uint64 [N]: the latents are `train.noise.draw_latents` of these."""
    z: np.ndarray
    """float32 [N, z_dim]."""
    y: np.ndarray
    """int64 [N]."""
    num_classes: int
    images: dict[Reference, np.ndarray]
    """Student → its images, float32 [N, 3, H, W] in [-1, 1]."""
    one_class: bool = False

    def inputs(self, index: int) -> tuple[np.ndarray, ...]:
        """Return the inputs of one image, each float32 [1, length]."""
        return inputs_of(self.z[index], self.y[index], self.num_classes, one_class=self.one_class)

    def save(self, path: Path) -> None:
        """Write the arrays seeds, z, y, num_classes, one_class and image_<student>."""
        arrays = {f"image_{name}": images for name, images in self.images.items()}
        arrays |= {name: getattr(self, name) for name in ("seeds", "z", "y")}
        arrays |= {"num_classes": np.int64(self.num_classes), "one_class": np.bool_(self.one_class)}
        save_arrays(path, arrays)

    def first_image(self, student: Reference) -> bytes:
        """Return a student's first image as H × W × 3 bytes, which an app can read without a library."""
        return to_bytes(torch.from_numpy(self.images[student][:1])).tobytes()

    def save_first_images(self, folder: Path) -> dict[Reference, str]:
        """Write the first image of every student.

        Returns:
            Student → name of its file.
        """
        files: dict[Reference, str] = {name: f"golden_{name}.rgb" for name in self.images}
        for name, file in files.items():
            image = self.first_image(name)
            write_atomically(folder / file, lambda temporary, image=image: temporary.write_bytes(image))
        return files


def make_golden(source: ExportSource) -> Golden:
    """Draw the golden images of every student in `source`; classes are spread over those that there are."""
    config, classes = source.info.generator, sorted(source.info.classes)
    seeds = consecutive_seeds(FIRST_SEED, COUNT)
    z = draw_latents(source.info.sampler, seeds, config.z_dim, source.info.truncation)
    spread = np.arange(COUNT) * max(len(classes), COUNT) // COUNT % len(classes)
    y = np.array(classes, np.int64)[spread]
    if source.class_index is not None:
        y = np.full(COUNT, source.class_index)
    golden = Golden(seeds, z, y, config.num_classes, {}, source.class_index is not None)
    students: dict[Reference, torch.nn.Module] = {"float": source.form, **source.quantized}
    with torch.no_grad():
        for name, student in students.items():
            images = [student(*map(torch.from_numpy, golden.inputs(k))) for k in range(COUNT)]
            golden.images[name] = torch.cat(images).numpy()
    return golden


def load_golden(path: Path) -> Golden:
    """Read what `Golden.save` wrote.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    if not path.is_file():
        raise UserError(f"no golden images at {path}; export again")
    try:
        # A path of its own would stay open in numpy when the archive is damaged.
        with path.open("rb") as file, np.load(file) as stored:
            images = {name.removeprefix("image_"): stored[name] for name in stored if name.startswith("image_")}
            return Golden(
                stored["seeds"],
                stored["z"],
                stored["y"],
                int(stored["num_classes"]),
                images,  # type: ignore[arg-type]
                bool(stored["one_class"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); export again") from None
