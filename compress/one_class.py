"""The deploy form of one class: the class path is gone and its gains and biases are in the weights."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from compress.deploy_form import DeployBlock, DeployGenerator, ImageForm, one_hot
from compress.points import Layer, Point
from train.errors import UserError
from train.generator import upsample


class OneClassBlock(nn.Module):
    """A `DeployBlock` whose gains and biases are constants."""

    def __init__(self, block: DeployBlock, affine: list[torch.Tensor]) -> None:
        super().__init__()
        gain1, bias1, gain2, bias2 = (row.flatten() for row in affine)
        channels = len(gain1)
        self.input = Point()
        # The shortcut needs the input as it is, so the first gain and bias stay: a depthwise 1×1 with a relu
        # is one operation on every phone runtime, where a product and a sum are two.
        self.modulation1 = nn.Conv2d(channels, channels, 1, groups=channels, device=gain1.device)
        self.modulated = Point()
        self.conv1 = copy.deepcopy(block.conv1)
        last = self.conv1[-1]
        assert isinstance(last, Layer) and last.operation.bias is not None
        # Runtimes fuse the relu into the convolution: what is rounded is its output.
        last.output = nn.Identity()  # type: ignore[assignment]
        self.hidden = Point()
        self.conv2 = copy.deepcopy(block.conv2)
        self.shortcut = copy.deepcopy(block.shortcut)
        assert self.modulation1.bias is not None
        self.modulation1.weight.copy_(gain1[:, None, None, None])
        self.modulation1.bias.copy_(bias1)
        last.operation.weight.mul_(gain2[:, None, None, None])
        last.operation.bias.mul_(gain2).add_(bias2)

    def forward(self, x: torch.Tensor, observe: bool = True) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, 2H, 2W]."""
        x, side = self.input.fork(x, 2, observe)
        h = self.modulated(F.relu(self.modulation1(x)))
        h = self.modulated(upsample(h), averaged=True)
        h = self.hidden(F.relu(self.conv1(h)))
        side = self.shortcut(side)
        return self.conv2(h) + self.shortcut.output(upsample(side), averaged=True)


class OneClassGenerator(ImageForm):
    """z → image of one class, or of one mixture of classes."""

    def __init__(self, deploy: DeployGenerator, class_weights: torch.Tensor) -> None:
        affine = deploy.class_affine(deploy.class_embedding(class_weights[None]))
        super().__init__(
            deploy.config,
            (
                OneClassBlock(block, affine[4 * k : 4 * k + 4])  # type: ignore[arg-type]
                for k, block in enumerate(deploy.blocks)
            ),
            copy.deepcopy(deploy.input_linear),
            copy.deepcopy(deploy.to_rgb),
        )
        self.nhwc = deploy.nhwc

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] → [N, 3, H, W] in [-1, 1]."""
        h = self.first_features(z)
        for k, block in enumerate(self.blocks):
            h = block(h, observe=k > 0)
        return self.to_image(h)


def specialise(deploy: DeployGenerator, class_index: int) -> OneClassGenerator:
    """Fold the gains and biases of one class into copies of the weights.

    Raises:
        UserError: there is no such class.
    """
    count = deploy.config.num_classes
    if not 0 <= class_index < count:
        raise UserError(f"class {class_index} is not one of the student's {count}; give 0 to {count - 1}")
    device = deploy.input_linear.weight.device
    with torch.no_grad():
        weights = one_hot(torch.tensor(class_index, device=device), count)
        return OneClassGenerator(deploy, weights).train(deploy.training)
