"""torchao's own quantization-aware training of the deploy form: the baseline that ours is compared with."""

import copy
import dataclasses
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from compress.config import QatConfig
from compress.deploy_form import DeployGenerator, one_hot
from compress.float_run import FloatRun
from compress.train_on import FineTuneBatches, training_of
from train.commands import to_install
from train.distributed import World
from train.errors import UserError
from train.loop import Observer, fit
from train.run import batch_source
from train.sources import Sources

_EXPORTED_BATCH = 2


class GraphByClass(nn.Module):
    """(z, y) → image by an exported graph of (z, class weights)."""

    def __init__(self, graph: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.graph = graph
        self.num_classes = num_classes

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and y int64 [N] → images [N, 3, H, W]."""
        return self.graph(z, one_hot(y, self.num_classes))


def finetune_pt2e(
    form: DeployGenerator,
    *,
    settings: QatConfig,
    run: FloatRun,
    sources: Sources,
    batches: Sequence[tuple[torch.Tensor, ...]],
    folder: Path,
) -> tuple[nn.Module, float]:
    """Calibrate and fine-tune torchao's prepared graph with the same step; on the CPU, by one process.

    Its quantizer is the one for XNNPACK, with a scale per channel of the weights.

    Returns:
        The converted graph as (z, y) → image, and the seconds of training.

    Raises:
        UserError: torchao is not installed.
    """
    torchao = _torchao()
    world = World(0, 1, torch.device("cpu"))
    form = copy.deepcopy(form).to(world.device)
    batches = [tuple(x.to(world.device) for x in batch) for batch in batches]
    config = settings.float_settings(run.config)
    graph = torchao.prepare(_export(form, run), torchao.quantizer)
    torchao.allow_train_eval(graph)
    student = GraphByClass(graph, run.config.generator.num_classes)
    student.eval()
    with torch.no_grad():
        for batch in batches:
            graph(*batch)
    training = training_of(student.train(), settings, config, run, world)
    source = FineTuneBatches(batch_source(config, sources, world), run.config.steps, None)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    minutes = settings.checkpoint_minutes
    freezer = _ObserverFreezer(torchao, student, int(settings.freeze_at * config.steps))
    fit(training, source, folder, world, observers=[freezer], checkpoint_minutes=minutes)
    seconds = time.monotonic() - started
    average: Any = training.average.module
    average.apply(torchao.disable_observer)  # eval mode alone does not stop them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = torchao.convert(copy.deepcopy(average.graph))
    torchao.allow_train_eval(converted)
    return GraphByClass(converted, student.num_classes).eval(), seconds


@dataclasses.dataclass
class _ObserverFreezer(Observer):
    """Stops the observers when the ranges of our own student would be frozen."""

    torchao: SimpleNamespace
    student: nn.Module
    freeze_step: int

    def start(self, step: int) -> None:
        self.after_step(step, {})

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        del terms
        if step >= self.freeze_step:
            self.student.apply(self.torchao.disable_observer)


def _export(form: DeployGenerator, run: FloatRun) -> Any:
    z = torch.zeros(_EXPORTED_BATCH, run.config.generator.z_dim)
    weights = one_hot(torch.zeros(_EXPORTED_BATCH, dtype=torch.int64), run.config.generator.num_classes)
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(form.train(), (z, weights), dynamic_shapes=(batch, batch)).module()


def _torchao() -> SimpleNamespace:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao.quantization import pt2e
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
            from torchao.testing.pt2e import _xnnpack_quantizer as xnnpack
    except ImportError:
        raise UserError(f"torchao is not installed; {to_install('compress')}, or pass --no-pt2e") from None
    config = xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
    return SimpleNamespace(
        quantizer=xnnpack.XNNPACKQuantizer().set_global(config),
        prepare=prepare_qat_pt2e,
        convert=convert_pt2e,
        allow_train_eval=pt2e.allow_exported_model_train_eval,
        disable_observer=pt2e.disable_observer,
    )
