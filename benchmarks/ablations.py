"""The paper's Table 2 on the embedded digits: `python benchmarks/ablations.py [--runs runs] [--seeds 0 1]`.

Trains the full objective, the four ablations and the from-scratch baseline at equal images, one run folder
each (finished ones are kept), and writes the table as JSON and Markdown.
"""

import dataclasses
import json
import platform
from pathlib import Path

import torch

from benchmarks.tables import Table, with_spread
from train.cli import parse, run_script
from train.distributed import distributed_world
from train.files import check_writable, write_json, write_text
from train.judging import QUALITY_FILE
from train.places import CONFIG_FILE
from train.presets import PRESETS
from train.run import train

ROWS = {
    "digits": "all terms",
    "digits-no-feature": "− L_KD_feat",
    "digits-no-real": "− L_GAN",
    "digits-no-adversarial": "− L_KD_S, L_KD_D",
    "digits-pixel-only": "L_KD_pix alone",
    "scratch-digits-student": "from scratch: L_GAN alone",
}


@dataclasses.dataclass(frozen=True)
class AblationsConfig:
    """What to run and where to write."""

    runs: Path = Path("runs")
    """Folder of the run folders; the default configuration's digits run there is taken as the first row."""
    out: Path = Path("benchmarks/ablations_digits.json")
    """The table; a .md file is written beside it."""
    seeds: tuple[int, ...] = (0,)
    """Every row is trained once per seed."""


def main(arguments: list[str]) -> None:
    """Train what is missing and write the table."""
    config = parse(AblationsConfig, arguments, __doc__ or "")
    check_writable(config.out.parent, "--out")
    rows = []
    with distributed_world("cpu") as world:
        for preset, title in ROWS.items():
            for seed in config.seeds:
                folder = config.runs / (preset if seed == 0 else f"{preset}-seed{seed}")
                run = dataclasses.replace(PRESETS[preset][1], seed=seed)
                train(run, folder, world)
                quality = json.loads((folder / QUALITY_FILE).read_text(encoding="utf-8"))
                settings = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["settings"]
                rows.append(
                    {"preset": preset, "title": title, "seed": seed, "images": settings["optimizer"]["images"]}
                    | {"quality": quality}
                )
    write_json(config.out, {"rows": rows, "torch": torch.__version__, "machine": platform.platform()})
    text = markdown(rows)
    write_text(config.out.with_suffix(".md"), text)
    print(text)


def markdown(rows: list[dict]) -> str:
    """Return the table, one line per preset: the mean over its seeds and, with several, their spread."""
    seeds = len({row["seed"] for row in rows})
    figures = {
        "recognised": ("recognised", "{:.1%}"),
        "diversity": ("diversity", "{:.2f}"),
        "L1 to the teacher": ("l1_to_teacher", "{:.3f}"),
    }
    cells = []
    for preset, title in ROWS.items():
        of_preset = [row["quality"] for row in rows if row["preset"] == preset]
        spreads = (with_spread([quality[name] for quality in of_preset], form) for name, form in figures.values())
        cells.append([title, f"`{preset}`", *spreads])
    first = rows[0]["quality"]
    note = (
        f"{rows[0]['images']:,} training images per row, {first['images']:,} judged latents, {seeds} "
        f"seed{'s (mean, range)' if seeds > 1 else ''}; the teacher's class mean image has L1 "
        f"{first['l1_of_class_mean']:.3f}."
    )
    return Table("Ablations", ["objective", "preset", *figures], cells, [note], left=2).markdown()


if __name__ == "__main__":
    run_script(main)
