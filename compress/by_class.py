"""A generator of class weights, called as the trainer and the sampler call a student."""

import torch
from torch import nn

from compress.deploy_form import DeployGenerator, one_hot
from compress.fake_quant import QuantGenerator


class ByClass(nn.Module):
    """(z, y int64 [N]) → image by a generator of class weights, as the trainer and the sampler call it."""

    def __init__(self, generator: DeployGenerator | QuantGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        return self.generator(z, self.class_embedding(y))

    def class_embedding(self, y: torch.Tensor) -> torch.Tensor:
        """Return class weights, which here take the place of embeddings: int64 [N] → float32 [N, num_classes].

        The embedding is linear in them, so that a mixture of weights is a mixture of embeddings.
        """
        return one_hot(y, self.generator.config.num_classes)

    def synthesize(self, z: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and class weights float32 [N, num_classes], which may be mixtures → images."""
        return self.generator(z, class_weights)
