"""A teacher is (z, y) → image and nothing more: a black box (TinyGAN, Section 3.1)."""

from typing import Protocol

import torch


class Teacher(Protocol):
    """What the rest of the project may know of a teacher."""

    name: str
    """What it is, for records: `biggan-deep-128`, a folder's name, …"""
    fingerprint: str
    """SHA-256 of the files that it was loaded from."""
    image_size: int
    z_dim: int
    num_classes: int
    truncation: float
    """The truncation that its latents are drawn with."""

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim], truncation included, and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        ...

    def to(self, device: torch.device) -> "Teacher":
        """Move the teacher and return it."""
        ...
