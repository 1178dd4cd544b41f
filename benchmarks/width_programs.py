"""Int8 XNNPACK programs of students of any widths, made to be timed: random weights cost what trained ones do."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.latency import Samples, interleave, monotonic_milliseconds
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.quant_config import QuantConfig
from deploy.executorch_program import load_program
from deploy.manifest import versions
from deploy.quiet import quiet
from deploy.xnnpack import lower_xnnpack
from train.files import write_atomically
from train.generator import ConditionalBatchNorm2d, Generator, GeneratorConfig

_CALIBRATION = 4  # latents; the time of a program does not follow from its ranges


def random_student(config: GeneratorConfig) -> Generator:
    """Return a student in eval mode, of random weights and with gains and biases of its own in every class."""
    torch.manual_seed(0)
    student = Generator(config).eval()
    with torch.no_grad():
        for module in student.modules():
            if isinstance(module, ConditionalBatchNorm2d):
                module.gain_bias.weight.normal_(0, 0.1)
    return student


def example_inputs(config: GeneratorConfig, count: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Return z float32 [count, z_dim] and class weights float32 [count, num_classes] of the first classes."""
    z = torch.randn(count, config.z_dim, generator=torch.Generator().manual_seed(0))
    return z, one_hot(torch.arange(count) % config.num_classes, config.num_classes)


def int8_program(config: GeneratorConfig, folder: Path) -> Path:
    """Return the int8 program of a student of random weights in `folder`, made unless it is there."""
    key = json.dumps([config.record(), versions("executorch")], sort_keys=True)
    path = folder / f"int8-{hashlib.sha256(key.encode()).hexdigest()[:16]}.pte"
    if not path.is_file():
        z, weights = example_inputs(config, _CALIBRATION)
        student = QuantGenerator(deploy_form(random_student(config)), QuantConfig(range_method="minmax"))
        with quiet():  # its bars
            student.calibrate([(z, weights)])
        lowered = lower_xnnpack(student.export_form(float_weights=False), (z[:1], weights[:1]))
        write_atomically(path, lambda temporary: temporary.write_bytes(lowered.buffer))
    return path


def int8_programs(configs: Sequence[GeneratorConfig], folder: Path) -> list[Path]:
    """Return the programs of several students; see `int8_program`."""
    with tqdm(configs, desc="exporting", unit="program") as bar:
        return [int8_program(config, folder) for config in bar]


class _Loaded:
    """A program that is loaded into this process; see `benchmarks.latency.Timed`."""

    def __init__(self, path: Path, inputs: tuple[np.ndarray, ...], threads: int | None) -> None:
        self._call, self._inputs = load_program(path, threads), inputs

    def time(self, warmup: int, iterations: int) -> list[float]:
        self._run(warmup)
        return self._run(iterations)

    def _run(self, times: int) -> list[float]:
        return monotonic_milliseconds(time.perf_counter_ns, lambda: self._call(*self._inputs), times)


def time_programs(
    programs: Mapping[str, Path],
    config: GeneratorConfig,
    *,
    rounds: int,
    warmup: int,
    iterations: int,
) -> dict[str, Samples]:
    """Time programs in turns, all in this process on one thread.

    Args:
        programs: by name.
        config: of any of the students, whose inputs are all of one shape.
        rounds: visits to each.
        warmup: untimed runs at each visit.
        iterations: timed runs at each visit.

    Returns:
        Name → milliseconds of every timed run, per round.
    """
    inputs = tuple(tensor.numpy() for tensor in example_inputs(config))
    loaded: dict[str, _Loaded] = {}
    for name, path in programs.items():
        # The number of threads is set once: loaded programs point to the pool that is there.
        loaded[name] = _Loaded(path, inputs, None if loaded else 1)
    with tqdm(total=rounds * len(loaded), desc="timing", leave=False) as bar:
        return interleave(loaded, rounds=rounds, warmup=warmup, iterations=iterations, tick=bar.update)
