import dataclasses

import numpy as np
import pytest
import torch
from feature_networks import save_script
from quality_images import random_images
from torch import nn

from benchmarks.quality import features as module
from benchmarks.quality.features import extract, open_features, open_inception, open_lite0
from train.errors import UserError
from train.feature_network import LITE0_SIZE

CPU = torch.device("cpu")


def load(path):
    return module.load_script(path, CPU)


def test_legacy_tensorflow_is_the_networks_own_resize(inception_file):
    network = open_inception(inception_file, "legacy_tensorflow", CPU)
    images = random_images(0, 5)
    found = extract(network, images, 2, "test")
    base, x = load(inception_file), torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.inference_mode():
        np.testing.assert_allclose(found.features, base(x, return_features=True), atol=1e-5)
        np.testing.assert_allclose(found.probabilities, base(x, no_output_bias=True), atol=1e-6)
        # The bias would be seen.
        assert not np.allclose(found.probabilities, base(x), atol=1e-4)
    assert found.features.dtype == found.probabilities.dtype == np.float32


def test_clean_is_clean_fids_resize(inception_file):
    from PIL import Image

    network = open_inception(inception_file, "clean", CPU)
    images = random_images(1, 3)
    found = extract(network, images, 2, "test")
    channels = [
        [
            np.asarray(
                Image.fromarray(image[..., c].astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
            )
            for c in range(3)
        ]
        for image in images
    ]
    resized = torch.from_numpy(np.array(channels).clip(0, 255))
    with torch.inference_mode():
        expected = load(inception_file).layers((resized - 128) / 128).flatten(1)
    np.testing.assert_allclose(found.features, expected, atol=1e-5)
    legacy = extract(open_inception(inception_file, "legacy_tensorflow", CPU), images, 2, "test")
    assert not np.allclose(found.features, legacy.features, atol=1e-3)


def test_names_hold_protocol_and_number(inception_file, pooled_file):
    standard = open_inception(inception_file, "clean", CPU)
    assert standard.key("fid", 2000) == "fid2000_clean"
    assert standard.key("fid", 50_000, "_to_teacher") == "fid50k_clean_to_teacher"
    assert standard.title("FID") == "FID"
    other = open_features(pooled_file, CPU)
    assert (other.name, other.dimensions) == ("pooled_cells", 48)
    assert other.key("fid", 2000) == "fid48_pooled_cells_n2000"
    assert other.title("FID") == "FID-48"


def test_another_network(pooled_file):
    images = random_images(2, 5)
    found = extract(open_features(pooled_file, CPU), images, 2, "test")
    cells = images.reshape(5, 4, 8, 4, 8, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(found.features, cells.reshape(5, 48), atol=1e-6)
    assert found.probabilities is None


def test_files_that_are_not_torchscript(tmp_path):
    damaged, weights = tmp_path / "damaged.pt", tmp_path / "weights.pt"
    damaged.write_bytes(b"nothing")
    torch.save({"weight": torch.zeros(3)}, weights)
    for path in (damaged, weights):
        for open_network in (
            lambda path: open_inception(path, "legacy_tensorflow", CPU),
            lambda path: open_features(path, CPU),
        ):
            with pytest.raises(UserError, match="is not TorchScript") as caught:
                open_network(path)
            assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no feature network at"):
        open_features(tmp_path / "absent.pt", CPU)


class Maps(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float()


class Floats(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images).mean([2, 3])


def test_networks_that_give_no_features(tmp_path, pooled_file):
    with pytest.raises(UserError, match=r"turns 2 images into \[2, 3, 64, 64\], not into features \[2, D\]"):
        open_features(save_script(Maps(), tmp_path / "maps.pt"), CPU)
    with pytest.raises(UserError, match="does not take uint8 images"):
        open_features(save_script(Floats(), tmp_path / "floats.pt"), CPU)
    with pytest.raises(UserError, match="is not the standard inception-2015-12-05") as caught:
        open_inception(pooled_file, "legacy_tensorflow", CPU)
    assert "\n" not in str(caught.value)


def test_features_that_are_not_finite(pooled_file):
    network = open_features(pooled_file, CPU)
    broken = dataclasses.replace(network, forward=lambda x: (torch.full((len(x), 48), torch.nan), None))
    with pytest.raises(UserError, match="the features of int8 hold NaN"):
        extract(broken, random_images(0, 3), 2, "int8")


def test_precision_is_full_inside_and_as_before_after():
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with torch.autocast("cpu", torch.bfloat16), module.full_precision():
            assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def test_devices():
    assert module.choose_device("cpu") == CPU
    with pytest.raises(UserError, match="no device 'tpu'"):
        module.choose_device("tpu")


def test_a_missing_clean_fid_is_named(inception_file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cleanfid.resize", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[benchmarks\]"):
        open_inception(inception_file, "clean", CPU)


def test_lite0_needs_no_file_and_parts_make_no_difference():
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra features")
    from train.feature_network import FeatureNetwork

    network, images = open_lite0(CPU), random_images(4, 5)
    found = extract(network, images, 2, "test").features
    with torch.inference_mode():
        expected = FeatureNetwork(LITE0_SIZE)(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(extract(network, images, 5, "test").features, found, atol=1e-4 * expected.max())
    assert network.key("fid", 500) == "frechet_lite0_to_photos_n500"
    assert network.key("fid", 500, "_to_teacher") == "frechet_lite0_to_teacher_n500"
    assert network.key("fid", 500, "_real_to_real") == "frechet_lite0_real_to_real_n500"
    assert network.key("intra_fid", 50) == "intra_frechet_lite0_to_photos_n50"
    assert "FID" not in network.title("FID")
