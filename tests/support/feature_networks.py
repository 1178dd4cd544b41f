"""Small TorchScript files: one with the interface of the standard Inception, one of another kind."""

import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional


class Layers(nn.Module):
    """What follows the resizing: [n, 3, 299, 299] in about [-1, 1] → [n, 2048, 1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 12 * 12, 2048)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] != 299 or x.shape[3] != 299:
            raise ValueError("not resized")
        pooled = functional.adaptive_avg_pool2d(x, [12, 12]).flatten(1)
        return torch.relu(self.linear(pooled)).reshape(-1, 2048, 1, 1)


class Inception(nn.Module):
    """The arguments and members of inception-2015-12-05.pt, its resize and its last layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers, self.output = Layers(), nn.Linear(2048, 20)
        nn.init.normal_(self.output.weight, std=0.2)

    def forward(
        self,
        img: torch.Tensor,
        return_features: bool = False,
        use_fp16: bool = False,
        no_output_bias: bool = False,
    ) -> torch.Tensor:
        count, channels, height, width = img.shape
        theta = torch.eye(2, 3)
        theta[0, 2] += theta[0, 0] / width - theta[0, 0] / 299
        theta[1, 2] += theta[1, 1] / height - theta[1, 1] / 299
        grid = functional.affine_grid(
            theta[None].repeat([count, 1, 1]), [count, channels, 299, 299], align_corners=False
        )
        x = functional.grid_sample(img.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
        features = self.layers((x - 128) / 128).reshape(-1, 2048)
        if return_features:
            return features
        bias = None if no_output_bias else self.output.bias
        return torch.softmax(functional.linear(features, self.output.weight, bias), dim=1)


class Pooled(nn.Module):
    """A feature network of another kind: the mean colours of 16 cells."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.adaptive_avg_pool2d(images.float() / 255, [4, 4]).flatten(1)


def save_script(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        # The files that people have are TorchScript; torch would rather have torch.export.
        warnings.filterwarnings("ignore", "`torch.jit.(script|save)", DeprecationWarning)
        warnings.filterwarnings("ignore", "`torch.jit.(script|save)", FutureWarning)
        torch.jit.save(torch.jit.script(module.eval()), str(path))
    return path
