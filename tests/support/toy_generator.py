"""A conditional generator of another law and size than ours: 48 px, N(0, 1), five named classes."""

import numpy as np
import torch
from torch import nn

CLASSES = ["ant", "bee", "cat", "dog", "eel"]
Z_DIM, SIZE = 12, 48


class Toy(nn.Module):
    """A disc of the class's colour on a gradient that the latent turns."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.colours = nn.Parameter(torch.rand(5, 3, generator=generator) * 1.6 - 0.8)
        axis = torch.linspace(-1, 1, SIZE)
        self.x, self.y = axis[None, None, None, :], axis[None, None, :, None]

    def forward(self, z: torch.Tensor, one_hot: torch.Tensor) -> torch.Tensor:
        colour = (one_hot @ self.colours)[:, :, None, None]
        shift = torch.tanh(z[:, :4])[:, :, None, None]
        distance = (self.x - 0.5 * shift[:, :1]) ** 2 + (self.y - 0.5 * shift[:, 1:2]) ** 2
        disc = torch.sigmoid((0.3 + 0.1 * shift[:, 2:3] - distance) * 20)
        ground = torch.tanh(shift[:, 3:4] * self.x + 0.3 * self.y) * 0.5
        return disc * colour + (1 - disc) * ground


_TOY = Toy().eval()


def draw(z: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return _TOY(z, torch.eye(5)[y]).numpy()


draw.latents = "normal"
draw.z_dim = Z_DIM
draw.classes = CLASSES
