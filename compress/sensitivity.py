"""Where rounding costs quality: `python compress/sensitivity.py --run runs/digits [--bits W8A8]`.

Each layer is quantized alone, rounded to nearest after calibration, and compared with the float student; all
others stay float. It leaves sensitivity.json and sensitivity.png in <run>/qat, the costliest layer first.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from compress.by_class import ByClass
from compress.config import Places, QatConfig
from compress.deploy_form import deploy_form
from compress.evaluate import Judge, psnr
from compress.fake_quant import QuantGenerator
from compress.figures import new_figure
from compress.finetune import calibration_batches, quantize_post_training
from compress.float_run import FloatRun, open_run
from train import judging
from train.cli import parse, run_script
from train.distributed import World
from train.errors import UserError
from train.files import check_writable, write_atomically, write_json
from train.images import to_bytes
from train.sampling import generate
from train.sources import open_sources

_SHOWN = 30  # bars; the layers below them cost hardly anything


@dataclasses.dataclass(frozen=True)
class SensitivityConfig:
    """Which student is examined, at which widths, on how many images."""

    run: Path = Path("runs/digits")
    """Run folder of the float student."""
    out: Path | None = None
    """Where the result goes; <run>/qat by default."""
    bits: str = "W8A8"
    """Bits of weights and activations, such as W8A8 or W4A8."""
    exceptions: tuple[str, ...] = ()
    """Layers with other bits, as in compress/qat.py."""
    data: Places = Places()
    images: int = 200
    """Images to compare, the first ones that compress/qat.py judges."""


def main(arguments: list[str]) -> None:
    """Parse, measure, write."""
    config = parse(SensitivityConfig, arguments, "Measure what each layer costs when only it is quantized.")
    if not 1 <= config.images <= judging.JUDGED_IMAGES:
        raise UserError(f"--images must be between 1 and {judging.JUDGED_IMAGES}, not {config.images}")
    settings = QatConfig(
        run=config.run,
        out=config.out,
        bits=config.bits,
        exceptions=config.exceptions,
        data=config.data,
        reconstruct=False,  # what was fitted to make up for other layers' rounding is an error without it
    )
    check_writable(settings.folder, "--out")
    run = open_run(config.run, fresh_discriminator=True)  # none is needed
    world = World(0, 1, torch.device("cpu"))
    sources = open_sources(settings.float_settings(run.config), run.folder, world)
    student = quantize_post_training(
        deploy_form(run.student), settings, calibration_batches(settings, run, sources, world)
    )
    started = time.monotonic()
    report = measure(student, run, Judge(run, sources), config.images)
    report = {"bits": config.bits, "exceptions": config.exceptions, **report}
    report["seconds"] = round(time.monotonic() - started, 1)
    folder = settings.folder
    write_json(folder / "sensitivity.json", report)
    plot(report, folder / "sensitivity.png")
    for name, row in [*report["groups"].items(), *list(report["layers"].items())[:5]]:
        print(f"{name:45} {row['psnr_to_float']:6.2f} dB")
    print(f"all layers: {folder / 'sensitivity.json'}; chart: {folder / 'sensitivity.png'}")


def measure(student: QuantGenerator, run: FloatRun, judge: Judge, images: int) -> dict[str, Any]:
    """Return the cost of each layer and of the groups that they form, the costliest first.

    Args:
        student: calibrated.
        run: its float run.
        judge: gives latents and the teacher's images.
        images: how many of them to use.
    """
    z, y = judge.z[:images], judge.y[:images]
    float_images = generate(run.student, z, y)
    teacher = None if judge.teacher is None else judge.teacher[:images]

    def cost(names: list[str]) -> dict[str, float]:
        with student.only(names):
            drawn = generate(ByClass(student), z, y)
        # Rounding that changes nothing at all has no finite PSNR; 120 dB is float32's own noise.
        row = {"psnr_to_float": round(min(psnr(drawn, float_images) or 120.0, 120.0), 2)}
        if teacher is not None:
            difference = abs(to_bytes(drawn).astype("float64") - teacher).mean() / 127.5
            row["l1_to_teacher"] = round(float(difference), 6)
        return row

    layers = student.layers()
    groups = {
        "everything": layers,
        "all weights": list(student.operations()),
        "all activations": list(student.points()),
        "class path": [name for name in layers if name.startswith("class_")],
        "depthwise outputs": [name for name in layers if name.endswith("depthwise.output")],
        "last layer": [name for name in layers if name.startswith("to_rgb")],
    }
    costs = {name: cost([name]) for name in tqdm(layers, desc="one layer at a time")}
    ranked = sorted(costs, key=lambda name: costs[name]["psnr_to_float"])
    float_row = {} if teacher is None else {"l1_to_teacher": cost([])["l1_to_teacher"]}
    return {
        "images": images,
        "float": float_row,
        "groups": {name: cost(members) for name, members in groups.items() if members},
        "layers": {name: costs[name] for name in ranked},
    }


def plot(report: dict[str, Any], path: Path) -> None:
    """Draw the mean squared error that each layer adds, which is what adds up.

    Raises:
        UserError: matplotlib is not installed.
    """
    names = list(report["layers"])[:_SHOWN]
    levels = [report["layers"][name]["psnr_to_float"] for name in names]
    errors = [4 / 10 ** (level / 10) for level in levels]
    figure = new_figure(9, 0.24 * len(names) + 1.2)
    axes = figure.subplots()
    colours = ["tab:orange" if name.endswith("weight") else "tab:blue" for name in names]
    bars = axes.barh(names, errors, color=colours)
    axes.bar_label(bars, [f" {level:.1f} dB" for level in levels], fontsize=7)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(x=0.12)
    axes.set_xlabel("mean squared error of the images when only this is rounded (orange: weights)", fontsize=8)
    axes.set_title(f"{report['bits']}, post-training, {report['images']} images", fontsize=9)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=130))


if __name__ == "__main__":
    run_script(main)
