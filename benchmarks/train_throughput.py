"""How fast the trainer trains: `python benchmarks/train_throughput.py [--preset paper-dw32] [--changes]`.

Times the trainer that `train/main.py` runs against a plain eager float32 loop with the call pattern of TinyGAN's
released code, on the same networks and batch size and in the same run. Data are random pictures, stored as pairs.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from benchmarks.throughput.configurations import BASELINE, OURS, Configuration, Task, configurations
from benchmarks.throughput.counts import ATTAINABLE, COUNTED, MOVED, Limits, attainable
from benchmarks.throughput.measuring import Protocol, mark_fastest, measure_batch, precision_name
from benchmarks.throughput.profiling import profile_batch
from benchmarks.throughput.stored import random_sources
from benchmarks.throughput.table import profile_table, throughput_table
from train.cli import parse, run_script
from train.config import TrainConfig
from train.distributed import World, distributed_world
from train.errors import UserError, at_least, check_ranges, did_you_mean
from train.files import check_writable, write_json, write_text
from train.machine import this_machine, usable_cores
from train.presets import PRESETS

FORMAT = "tinygan-edge-throughput-1"
DEFINITIONS = {
    BASELINE: "contiguous float32 (on CUDA cuDNN may compute it in TF32, as by torch's default, and tries its "
    "algorithms out, as the released code has it do), eager, Adam as torch chooses it, and the call pattern of "
    "TinyGAN's released code: five calls of the discriminator and three of the student per iteration, seven and "
    "four in every n-th; images for the discriminator's update are drawn without recording gradients, losses are "
    "read no more often than ours",
    OURS: "what train/main.py does between two saves: batches prepared ahead, both updates, averaged weights, "
    "losses added up and read for the log; no grids, no saves, no checks for non-finite weights",
    "data": "random pictures that fit in memory; reading a large collection from a disk is not measured",
    "FLOP per iteration": COUNTED,
    "bytes per iteration": MOVED,
    "attainable": ATTAINABLE,
    "peak memory": "torch.cuda.max_memory_allocated over a turn of the schedule, without what other loops hold; "
    "CUDA only",
    "gain": "over the row above it, within a round; by FLOP: the gain that the counts of the two predict",
    "hours": "images of the preset's whole schedule over images/s, whatever the batch size",
}
"""What the figures mean, for whoever reads a report."""
_LOADERS_ON_GPU = 4  # processes of each of the released code's loaders


@dataclasses.dataclass(frozen=True)
class ThroughputConfig:
    """What to time, how long, and where to write."""

    preset: str = "paper-dw32"
    """A preset of train/main.py with a teacher and all terms of the objective."""
    batch_sizes: tuple[int, ...] = (32,)
    """Images per iteration; each is timed by itself."""
    changes: bool = False
    """Time every change from the baseline to the trainer, one on top of the other."""
    profile: bool = False
    """Also say which operations the time of our trainer goes into."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of our trainer's convolutions and Linears; auto is bfloat16 on CUDA."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile both of our trainer's networks; auto does on CUDA."""
    cuda_graphs: Literal["auto", "on", "off"] = "auto"
    """Replay our trainer's step as a CUDA graph; auto does on CUDA."""
    rounds: int = 5
    """Visits to each loop, in turns."""
    seconds: float = 10.0
    """Of each visit, at least; it ends with a whole turn of the schedule."""
    warmup: int = 3
    """Untimed iterations at the start of each visit."""
    workers: int | None = None
    """Processes of each of the baseline's two DataLoaders; by default 0 on a CPU, else the released code's 4."""
    png: bool = False
    """Store the baseline's images as PNG files and decode them for each batch, as the released code does."""
    pairs: int = 512
    """Pairs to store, at least; never fewer than a batch."""
    seed: int = 0
    """Of weights, pictures and batches."""
    out: Path = Path("runs/train_throughput.json")
    """The report; a .md file is written beside it."""


def main(arguments: list[str]) -> None:
    """Time all batch sizes; the report is written after each of them."""
    config = parse(ThroughputConfig, arguments, __doc__ or "")
    runs = [_run_config(config, batch_size) for batch_size in _checked(config).batch_sizes]
    with (
        distributed_world(config.device) as world,
        tempfile.TemporaryDirectory(prefix="train-throughput-") as temporary,
    ):
        if world.size > 1:
            raise UserError(
                f"WORLD_SIZE is {world.size}; the throughput of one process is measured, without torchrun"
            )
        rows = configurations(runs[0], world.device, config.changes)
        report = _report(config, runs[0], world)
        limits = _limits(rows, world)
        report["attainable"] = {name: dataclasses.asdict(limit) for name, limit in limits.items()}
        count = max(config.pairs, *config.batch_sizes)
        sources = random_sources(runs[0], Path(temporary, "pairs"), count, config.seed)
        png = Path(temporary, "png") if config.png else None
        visits = len(runs) * len(rows) * (1 + config.rounds)
        with tqdm(total=visits, desc="timing", unit="visit", dynamic_ncols=True) as bar:
            for run in runs:
                bar.set_description(f"timing, batch {run.optimizer.batch_size}")
                task = Task(run, sources, world, config.seconds, _workers(config, world), png)
                protocol = Protocol(config.rounds, config.warmup)
                report["rows"] += measure_batch(rows, task, protocol, limits, bar.update)
                mark_fastest(report["rows"], rows[-1].name)
                if config.profile:
                    report["profiles"].append(profile_batch(rows[-1], task, config.warmup))
                text = _write(report, config.out)
    print(text)


def distilling_presets() -> dict[str, TrainConfig]:
    """Return the presets that the released code's objective fits: those with a teacher and every term."""
    terms = (
        "feature",
        "pixel",
        "distillation_generator",
        "real_generator",
        "distillation_discriminator",
        "real_discriminator",
    )
    return {
        name: config
        for name, (_, config) in PRESETS.items()
        if config.data.teacher and all(getattr(config.loss, term) for term in terms)
    }


def _checked(config: ThroughputConfig) -> ThroughputConfig:
    """Return the configuration, or raise a UserError before anything is measured."""
    known = distilling_presets()
    if config.preset not in known:
        wrong = "does not distil with all terms" if config.preset in PRESETS else "is unknown"
        hint = did_you_mean(config.preset, known)
        raise UserError(f"preset {config.preset!r} {wrong}{hint}; give one of {', '.join(known)}")
    if not config.batch_sizes or min(config.batch_sizes) < 1:
        given = " ".join(map(str, config.batch_sizes)) or "(nothing)"
        raise UserError(f"--batch-sizes {given} has no image in a batch; give numbers from 1")
    if len(set(config.batch_sizes)) < len(config.batch_sizes):
        raise UserError(f"--batch-sizes {' '.join(map(str, config.batch_sizes))} has one twice; give each once")
    check_ranges(config, at_least(1, "rounds", "pairs") | at_least(0, "warmup", "workers"))
    if not 0 < config.seconds < float("inf"):
        raise UserError(f"--seconds {config.seconds} is no time; give more than 0")
    if config.out.suffix != ".json" or config.out.is_dir():
        raise UserError(f"--out {config.out} is no .json file; give the name of one")
    check_writable(config.out.parent, "--out")
    return config


def _run_config(config: ThroughputConfig, batch_size: int) -> TrainConfig:
    """Return the preset as it would be trained at this batch size."""
    preset = distilling_presets()[config.preset]
    return dataclasses.replace(
        preset,
        seed=config.seed,
        optimizer=dataclasses.replace(preset.optimizer, batch_size=batch_size),
        runtime=dataclasses.replace(
            preset.runtime,
            precision=config.precision,
            compile=config.compile,
            cuda_graphs=config.cuda_graphs,
        ),
    )


def _workers(config: ThroughputConfig, world: World) -> int:
    if config.workers is not None:
        return config.workers
    return 0 if world.device.type == "cpu" else min(_LOADERS_ON_GPU, usable_cores())


def _limits(rows: list[Configuration], world: World) -> dict[str, Limits]:
    return {
        name: attainable(world.device, getattr(torch, name))
        for name in dict.fromkeys(precision_name(row) for row in rows)
    }


def _report(config: ThroughputConfig, run: TrainConfig, world: World) -> dict[str, Any]:
    """Return the report without its rows: what was asked for, where and how."""
    machine = {name: value for name, value in this_machine().items() if name != "target"}
    machine |= {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": str(world.device)}
    if world.device.type == "cuda":
        machine["device_name"] = torch.cuda.get_device_name(world.device)
        machine["cuda"] = torch.version.cuda
    return {
        "format": FORMAT,
        "preset": config.preset,
        "images": run.optimizer.images,
        "seeds": [config.seed],
        "machine": machine,
        "protocol": {
            "rounds": config.rounds,
            "seconds": config.seconds,
            "warmup": config.warmup,
            "workers": _workers(config, world),
            "baseline_images": "png" if config.png else "memory",
            "batch_sizes": list(config.batch_sizes),
        },
        "definitions": DEFINITIONS,
        "rows": [],
        "profiles": [],
    }


def _write(report: dict[str, Any], out: Path) -> str:
    """Write the report and its table, and return the table."""
    write_json(out, report)
    found = [throughput_table(report), *map(profile_table, report["profiles"])]
    text = "\n".join(table.markdown() for table in found)
    write_text(out.with_suffix(".md"), text)
    return text


if __name__ == "__main__":
    run_script(main)
