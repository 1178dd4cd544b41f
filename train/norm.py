"""Batch normalisation whose statistics span every process of a distributed run."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce


def batch_moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the biased variance per channel of the global batch, float32 [C] each.

    Args:
        x: this process's share, [N, C, H, W]; every process must hold the same number of images.
    """
    x = x.float()
    if not (dist.is_initialized() and dist.get_world_size() > 1):
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        return mean, variance
    count = x.numel() // x.shape[1] * dist.get_world_size()
    mean = all_reduce(x.sum((0, 2, 3))) / count
    variance = all_reduce((x - mean[:, None, None]).square().sum((0, 2, 3))) / count
    return mean, variance


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` that normalises by the statistics of the global batch.

    In one process it is the library's own layer. In several it gives the same numbers as one process with
    the whole batch, on CPU (gloo) as on GPUs; torch's SyncBatchNorm is for GPUs only.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise [N, C, H, W]; statistics and running averages are float32."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(input)
        mean, variance = batch_moments(input)
        count = input.numel() // input.shape[1] * dist.get_world_size()
        self._update_running_statistics(mean.detach(), variance.detach() * count / (count - 1))
        output = (input.float() - mean[:, None, None]) * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            output = output * self.weight[:, None, None] + self.bias[:, None, None]
        return output.to(input.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: torch.Tensor, unbiased_variance: torch.Tensor) -> None:
        assert self.momentum is not None and self.running_mean is not None
        assert self.running_var is not None and self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_variance, self.momentum)
        self.num_batches_tracked.add_(1)
