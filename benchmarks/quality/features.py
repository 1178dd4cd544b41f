"""Feature networks: the standard FID Inception under its two protocols, lite0, or any TorchScript file."""

import contextlib
import dataclasses
import hashlib
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from train import feature_network
from train.commands import to_install
from train.errors import UserError, first_line
from train.files import file_hash
from train.machine import usable_cores
from train.precision import without_tf32

Preprocessing = Literal["legacy_tensorflow", "clean"]
Forward = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]

INCEPTION_DIMENSIONS = 2048
_NOT_FID = {"fid": "frechet", "kid": "kernel_distance", "intra_fid": "intra_frechet"}
_NOT_FID_TITLES = {
    "FID": "Fréchet distance",
    "KID": "kernel distance",
    "intra-FID": "intra-class Fréchet distance",
}
_HOW: dict[Preprocessing, str] = {
    "legacy_tensorflow": "Inception of 2015-12-05, resized by the network as TensorFlow 1 did",
    "clean": "Inception of 2015-12-05, resized by clean-fid (bicubic, antialiased, not rounded)",
}


@dataclasses.dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """What turns images into features, and the names that its metrics get."""

    name: str
    """Of the protocol; part of every metric's name."""
    how: str
    """The protocol in words."""
    standard: bool
    """Whether it is the standard Inception; a distance on anything else is called by its dimensions too."""
    dimensions: int
    sha256: str
    """Of the file."""
    forward: Forward
    """uint8 [n, 3, H, W] on `device` → features [n, dimensions] and class probabilities [n, C], or None."""
    device: torch.device
    inception: bool = True
    """Whether a Fréchet distance on it may be called FID at all."""

    def key(self, metric: str, count: int, suffix: str = "") -> str:
        """Return a metric's name of `count` images: fid2000_clean, fid768_mobilenet_n50k.

        What may not be called FID says in its name what it is a distance to: frechet_lite0_to_photos_n500.
        """
        number = f"{count // 1000}k" if count >= 10_000 and count % 1000 == 0 else str(count)
        if not self.inception:
            to = suffix or "_to_photos" * (metric in _NOT_FID)
            return f"{_NOT_FID.get(metric, metric)}_{self.name}{to}_n{number}"
        if self.standard:
            return f"{metric}{number}_{self.name}{suffix}"
        return f"{metric}{self.dimensions}_{self.name}_n{number}{suffix}"

    def title(self, metric: str) -> str:
        """Return a metric's name for people: FID with the standard network, FID-768 with another one."""
        if not self.inception:
            return f"{_NOT_FID_TITLES.get(metric, metric)} ({self.name})"
        return metric if self.standard else f"{metric}-{self.dimensions}"


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """Of a set of images."""

    features: np.ndarray
    """float32 [N, D]."""
    probabilities: np.ndarray | None
    """float32 [N, C], of the classes of the network, if it has some."""


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is CUDA if there is a GPU, else the CPU.

    Raises:
        UserError: torch knows no such device, or it is not there.
    """
    try:
        device = torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {name!r} here ({first_line(error)}); take auto, cpu or cuda") from None
    return device


def open_inception(path: Path, preprocessing: Preprocessing, device: torch.device) -> FeatureNetwork:
    """Open the standard `inception-2015-12-05.pt`.

    Its module takes images in [0, 255], resizes them to 299 × 299, and returns its 2,048 features if told
    `return_features=True`, else class probabilities, without the bias of the last layer if told
    `no_output_bias=True`, which is how the Inception Score is defined. Inside, `layers` is what follows the
    resizing and scaling, `output` the last layer.

    Raises:
        UserError: the file is not TorchScript, or has another interface, or clean-fid is needed and not installed.
    """
    base = load_script(path, device)
    resize = clean_resize() if preprocessing == "clean" else None
    probe = torch.full((2, 3, 32, 32), 128.0, device=device)
    probe[1, :, 8:24] = 255
    try:
        with full_precision():
            features = base(probe, return_features=True)
            expected = base(probe, no_output_bias=True)
            # One pass for both: the last layer is applied to the features here.
            probabilities = _class_probabilities(base, features)
            unresized = base.layers(torch.zeros(1, 3, 299, 299, device=device))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise UserError(
            f"{path} is not the standard inception-2015-12-05.pt ({first_line(error)}); "
            "give a feature network of another kind with --features"
        ) from None
    if features.shape != (2, INCEPTION_DIMENSIONS) or unresized.numel() != INCEPTION_DIMENSIONS:
        raise UserError(
            f"{path} gives features of shape {list(features.shape)}, the standard Inception "
            f"{INCEPTION_DIMENSIONS} of each image; give a feature network of another kind with --features"
        )
    if not torch.allclose(probabilities, expected, rtol=1e-3, atol=1e-6):
        raise UserError(f"{path} has class probabilities that do not follow from its features; download it again")

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if resize is None:
            features = base(images.float(), return_features=True)
        else:
            features = base.layers((resize(images) - 128) / 128)
        features = features.reshape(len(images), INCEPTION_DIMENSIONS)
        return features, _class_probabilities(base, features)

    how = _HOW[preprocessing]
    return FeatureNetwork(preprocessing, how, True, INCEPTION_DIMENSIONS, file_hash(path), forward, device)


def _class_probabilities(base: Any, features: torch.Tensor) -> torch.Tensor:
    return torch.softmax(torch.nn.functional.linear(features, base.output.weight), dim=1)


def open_features(path: Path, device: torch.device) -> FeatureNetwork:
    """Open any TorchScript network that turns images [n, 3, H, W] in [0, 255] into features [n, D].

    Its name is that of the file, without the number of dimensions at its end.

    Raises:
        UserError: the file is not TorchScript, or what it computes are no features.
    """
    network = load_script(path, device)

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, None]:
        features = network(images)
        if not isinstance(features, torch.Tensor) or features.ndim != 2 or len(features) != len(images):
            shape = list(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            raise UserError(
                f"{path} turns {len(images)} images into {shape}, not into features [{len(images)}, D]; "
                "give a network that averages over space"
            )
        return features, None

    try:
        with full_precision():
            dimensions = forward(torch.zeros(2, 3, 64, 64, dtype=torch.uint8, device=device))[0].shape[1]
    except RuntimeError as error:
        raise UserError(f"{path} does not take uint8 images [n, 3, H, W] ({first_line(error)})") from None
    name = re.sub("[^a-z0-9]+", "_", path.stem.lower()).strip("_").removesuffix(f"_{dimensions}")
    how = f"the {dimensions} features of {path.name}, which is not the standard Inception"
    return FeatureNetwork(name, how, False, dimensions, file_hash(path), forward, device)


def open_lite0(device: torch.device) -> FeatureNetwork:
    """Open EfficientNet-lite0, whose weights come with a package: a distance on it needs no download.

    Raises:
        UserError: the packages are missing.
    """
    size = feature_network.LITE0_SIZE
    network = feature_network.FeatureNetwork(size)
    digest = hashlib.sha256(f"{size}".encode())
    for weights in network.buffers():
        digest.update(weights.numpy().tobytes())
    # Channels last: less than half of the time on a CPU.
    network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, None]:
        scaled = images.float() / 127.5 - 1
        return network(scaled.contiguous(memory_format=torch.channels_last)), None

    how = f"the {feature_network.POOLED_CHANNELS} pooled features of EfficientNet-lite0 at {size} px"
    return FeatureNetwork(
        feature_network.NAME,
        how,
        False,
        feature_network.POOLED_CHANNELS,
        digest.hexdigest(),
        forward,
        device,
        inception=False,
    )


def load_script(path: Path, device: torch.device) -> Any:
    """Load a TorchScript file in eval mode.

    Raises:
        UserError: there is no such file, or it is not TorchScript.
    """
    if not path.is_file():
        raise UserError(f"no feature network at {path}")
    try:
        with warnings.catch_warnings():
            # The standard file exists as TorchScript only; torch would rather have torch.export.
            warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", FutureWarning)
            return torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{path} is not TorchScript ({first_line(error)}); give a file that torch.jit.save wrote"
        ) from None


def clean_resize() -> Callable[[torch.Tensor], torch.Tensor]:
    """Return clean-fid's own resize, uint8 [n, 3, H, W] → float32 [n, 3, 299, 299] in [0, 255], on all CPU cores.

    Raises:
        UserError: clean-fid is not installed.
    """
    from concurrent.futures import ThreadPoolExecutor

    try:
        from cleanfid.resize import build_resizer
    except ModuleNotFoundError as error:
        raise missing(error) from None
    resize_one = build_resizer("clean")
    pool = ThreadPoolExecutor(min(16, usable_cores()))

    def resize(images: torch.Tensor) -> torch.Tensor:
        pixels = images.permute(0, 2, 3, 1).cpu().numpy()
        with warnings.catch_warnings():
            # clean-fid names the mode of the array, which Pillow would rather find out.
            warnings.filterwarnings("ignore", "'mode' parameter is deprecated", DeprecationWarning)
            resized = np.stack(list(pool.map(resize_one, pixels)))
        return torch.from_numpy(resized).permute(0, 3, 1, 2).to(images.device)

    return resize


def missing(error: ModuleNotFoundError) -> UserError:
    """Return what to tell where clean-fid, or something that it needs, is not installed."""
    return UserError(f"{error.name} is not installed; {to_install('benchmarks')}")


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute in float32 proper, without gradients: no autocast, no TF32 in products or convolutions."""
    with (
        without_tf32(),
        torch.inference_mode(),
        torch.autocast("cuda", enabled=False),
        torch.autocast("cpu", enabled=False),
    ):
        yield


def extract(network: FeatureNetwork, images: np.ndarray, batch_size: int, what: str) -> Features:
    """Return the features of images, uint8 [N, H, W, 3], with a progress bar that names `what`.

    Raises:
        UserError: features are NaN or infinite.
    """
    features, probabilities = np.empty((len(images), network.dimensions), np.float32), []
    with full_precision(), tqdm(total=len(images), desc=f"{network.name} {what}", unit="image") as progress:
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(network.device)
            found, classes = network.forward(batch.permute(0, 3, 1, 2).contiguous())
            features[start : start + len(batch)] = found.float().cpu().numpy()
            if classes is not None:
                probabilities.append(classes.float().cpu().numpy())
            progress.update(len(batch))
    if not np.isfinite(features).all():
        raise UserError(f"the features of {what} hold NaN or infinity; {network.name} does not fit these images")
    return Features(features, np.concatenate(probabilities) if probabilities else None)
