r"""The paper's Figure 8 of runs of ours: the distance to photographs over the images that training has seen.

    python benchmarks/learning_curve.py --runs runs/animals64/student runs/animals64/scratch \
        --reference VALIDATION.npz --features NETWORK.pt --out benchmarks/animals64_curve.json

A run keeps its averaged weights on the way with --runtime.snapshots; they are judged here, while it still trains
or afterwards. `--keep-best` makes a BigGAN's best snapshot the teacher of its run folder.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from benchmarks.plots import line_plot
from benchmarks.quality.features import FeatureNetwork, choose_device, open_features, open_lite0
from benchmarks.quality.reference import FeatureStore
from benchmarks.quality.settings import QualitySettings
from train.build import build_network
from train.checkpoint import SNAPSHOTS_FOLDER, TEACHER_FOLDER
from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_state_dict, check_writable, write_json
from train.frechet import frechet_distance
from train.images import to_bytes
from train.judging import JUDGED_SEED
from train.noise import latents_in_turn
from train.places import read_settings
from train.reals import LEAVE_OUT, open_reals
from train.sampling import generate
from train.snapshot import SnapshotInfo, read_snapshot

_BATCH = 100


@dataclasses.dataclass(frozen=True)
class CurveConfig:
    """Which runs, and how they are judged."""

    runs: tuple[Path, ...]
    """Run folders with snapshots."""
    reference: str
    """Photos to measure the distance to: digits, a folder of class folders or a pack."""
    out: Path
    """The curves as JSON; a plot is drawn beside it."""
    damaged: int = 0
    """How many of the photos may be left out because they cannot be read."""
    features: Path | None = None
    """TorchScript feature network; EfficientNet-lite0 by default, which is no judge of what it trained."""
    per_class: int = 50
    """Images of each class."""
    truncation: float = 0.5
    """Of the latents."""
    keep_best: bool = False
    """Make each BigGAN's best snapshot the teacher in its run folder."""
    cache: Path = Path("runs/judge-cache")
    """Features that were computed already."""
    device: str = "auto"
    """auto, cpu or cuda."""


def main(arguments: list[str]) -> None:
    """Judge every snapshot, write the curves, keep the best.

    Raises:
        UserError: a run without snapshots, or one that is damaged.
    """
    config = parse(CurveConfig, arguments, __doc__ or "")
    check_writable(config.out.parent, "--out")
    device = choose_device(config.device)
    network = open_features(config.features, device) if config.features else open_lite0(device)
    curves: dict[str, Any] = {}
    called = [run.absolute().name for run in config.runs]
    for run, name in zip(config.runs, called, strict=True):
        files = sorted((run / SNAPSHOTS_FOLDER).glob("images-*.safetensors"))
        if not files:
            raise UserError(f"{run} has no snapshots; train it with --runtime.snapshots 15")
        if config.keep_best:
            _check_teacher(files[0], run)
        title = name if called.count(name) == 1 else str(run)
        points = curves[title] = _judge(files, title, config, network)
        best = min(points, key=lambda point: point["distance"])
        print(f"{run}: best after {best['images']:,} images, {best['distance']:.4g}")
        if config.keep_best:
            _keep(files[points.index(best)], run)
    how = network.title("FID")
    note = {"distance": how, "how": network.how, "per_class": config.per_class, "truncation": config.truncation}
    write_json(config.out, note | {"reference": Path(config.reference).name, "curves": curves})
    line_plot(
        {name: [(point["images"], point["distance"]) for point in points] for name, points in curves.items()},
        config.out.with_suffix(".png"),
        x="images seen",
        y=f"{how} to photographs",
    )
    print(f"curves: {config.out}, {config.out.with_suffix('.png')}")


def _judge(
    files: Sequence[Path], name: str, config: CurveConfig, network: FeatureNetwork
) -> list[dict[str, float]]:
    """Return the distance of each snapshot of a run; all of them have the same classes."""
    _, info = load_generator(files[0])
    classes, count = sorted(info.classes), config.per_class * len(info.classes)
    z, y = latents_in_turn(
        classes, JUDGED_SEED, count, info.generator.z_dim, config.truncation, sampler=info.sampler
    )
    latents = torch.from_numpy(z), torch.from_numpy(y)
    reals = open_reals(
        config.reference,
        info.generator.image_size,
        classes,
        info.generator.num_classes,
        config.cache / "reals",
        damaged=config.damaged,
        remedy=LEAVE_OUT,
    )
    store = FeatureStore(config.cache / "features", QualitySettings.batch_size)
    real = store.measure(network, reals.images, "photos").statistics
    points = []
    for file in tqdm(files, desc=name, unit="snapshot"):
        generator, info = load_generator(file)
        images = to_bytes(generate(generator.to(network.device), *latents, _BATCH))
        own = store.measure(network, images, file.stem).statistics
        points.append({"images": info.images, "distance": frechet_distance(own, real)})
    return points


def load_generator(path: Path) -> tuple[nn.Module, SnapshotInfo]:
    """Read a snapshot of a student or of a BigGAN in training, whose norms use the batch at hand.

    Raises:
        UserError: the file is damaged or no snapshot.
    """
    tensors, info = read_snapshot(path)
    generator = build_network(info.generator)
    check_state_dict(tensors, generator, path)
    generator.load_state_dict(tensors)
    # As it trained: the last bits of an image follow the memory format.
    generator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return generator.eval(), info


def _check_teacher(path: Path, run: Path) -> None:
    if read_snapshot(path)[1].generator.architecture != "biggan":
        raise UserError(f"{run} trains a student, whose last weights count; --keep-best is for teachers")


def _keep(path: Path, run: Path) -> None:
    generator, info = load_generator(path)
    folder, seed = run / TEACHER_FOLDER, read_settings(run)["seed"]
    generator.store(folder, sorted(info.classes), seed)  # pyright: ignore[reportCallIssue]
    print(f"{folder} is now the teacher after {info.images:,} images")


if __name__ == "__main__":
    run_script(main)
