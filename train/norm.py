"""Batch normalisation whose statistics span every process of a distributed run."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


class _SumOverProcesses(torch.autograd.Function):
    """Sum a tensor over all processes; every process's result depends on every process's input."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG004 (autograd's signature)
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, *gradients: torch.Tensor) -> torch.Tensor:  # noqa: ARG004 (autograd's signature)
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def batch_moments(x: torch.Tensor, of_all_processes: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and the biased variance per channel, float32 [C] each.

    Args:
        x: this process's share of the batch, [N, C, H, W].
        of_all_processes: take the statistics of the global batch. Every process must then make the same
            call, with the same number of images.
    """
    x = x.float()
    if not (of_all_processes and _several_processes()):
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        return mean, variance
    count = x.numel() // x.shape[1] * dist.get_world_size()
    mean = _sum(x.sum((0, 2, 3))) / count
    variance = _sum((x - mean[:, None, None]).square().sum((0, 2, 3))) / count
    return mean, variance


def normalised(x: torch.Tensor, eps: float, of_all_processes: bool = True) -> torch.Tensor:
    """Return x [N, C, H, W] in float32 with mean 0 and variance 1 per channel; arguments as of `batch_moments`."""
    if not (of_all_processes and _several_processes()):
        return F.batch_norm(x.float(), None, None, training=True, eps=eps)  # one pass instead of six
    mean, variance = batch_moments(x)
    return (x.float() - mean[:, None, None]) * torch.rsqrt(variance + eps)[:, None, None]


def _several_processes() -> bool:
    return dist.is_initialized() and dist.get_world_size() > 1


def _sum(x: torch.Tensor) -> torch.Tensor:
    total = _SumOverProcesses.apply(x)
    assert isinstance(total, torch.Tensor)
    return total


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` that normalises by the statistics of the global batch.

    In one process it is the library's own layer. In several it gives the same numbers as one process with
    the whole batch, on CPU (gloo) as on GPUs; torch's SyncBatchNorm is for GPUs only.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise [N, C, H, W]; statistics and running averages are float32."""
        if not (self.training and _several_processes()):
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
