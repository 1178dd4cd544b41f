"""clean-fid's own value on the same images: its network, its resize, its distance, without a download."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.features import FeatureNetwork, Preprocessing, missing
from benchmarks.quality.inception_file import INCEPTION_FILE
from train.files import file_hash


def open_clean_fid(path: Path, preprocessing: Preprocessing, device: torch.device) -> FeatureNetwork:
    """Open the standard Inception the way that clean-fid does.

    Raises:
        UserError: clean-fid is not installed.
    """
    try:
        from cleanfid.fid import get_batch_features
        from cleanfid.inception_torchscript import InceptionV3W
        from cleanfid.resize import build_resizer
    except ModuleNotFoundError as error:
        raise missing(error) from None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        Path(folder, INCEPTION_FILE).symlink_to(path.resolve())
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", FutureWarning)
        network = InceptionV3W(folder, download=False, resize_inside=preprocessing == "legacy_tensorflow")
    network = network.to(device).eval()
    resize = build_resizer(preprocessing)

    def forward(images: torch.Tensor) -> tuple[torch.Tensor, None]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'mode' parameter is deprecated", DeprecationWarning)
            resized = [resize(image) for image in images.permute(0, 2, 3, 1).cpu().numpy()]
        batch = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float()
        return torch.from_numpy(get_batch_features(batch, network, device)), None

    how = f"clean-fid's own code, mode {preprocessing}"
    return FeatureNetwork(f"clean_fid_{preprocessing}", how, True, 2048, file_hash(path), forward, device)


def clean_fid_distance(features: np.ndarray, reference: np.ndarray) -> float:
    """Return clean-fid's Fréchet distance of two sets of features, [n, D] and [m, D]."""
    from cleanfid.fid import fid_from_feats

    with warnings.catch_warnings():
        # It passes an argument to scipy that a later version drops; the dependencies pin the version.
        warnings.filterwarnings("ignore", "The `disp` argument is deprecated", DeprecationWarning)
        return float(fid_from_feats(features, reference))
