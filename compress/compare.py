"""Compare the ways to quantize a run's student: `python compress/compare.py --run runs/digits`.

It adds to <run>/qat/report.json the float control, post-training quantization, quantization-aware training with
and without the distillation losses, torchao's flow, and other widths. Running it again goes on with the
rows that are missing.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Sequence

from compress.comparison import (
    NEAREST_ROW,
    POST_TRAINING_OF_CONTROL_ROW,
    Comparison,
    plot_widths,
    recovered,
)
from compress.config import QatConfig, check_length, parse_bits
from compress.evaluate import Judge
from compress.float_run import open_run
from compress.quality_table import REPORT_FILE, Table
from compress.train_on import claimed
from train.cli import parse, run_script
from train.distributed import distributed_world
from train.errors import UserError
from train.files import write_text
from train.loop import Interrupted
from train.run import introduce_classes
from train.sources import open_sources


@dataclasses.dataclass(frozen=True)
class CompareConfig(QatConfig):
    """Which rows to make, and how all of them are trained."""

    widths: tuple[str, ...] = ("W4A8",)
    """Further widths, such as W6A8 W5A8 W4A8 W8A7 W8A6 W8A4."""
    rounded_widths: tuple[str, ...] = ("W6A8", "W5A8", "W8A7", "W8A6", "W8A4")
    """Widths for post-training only; QAT of them takes minutes each (give them as --widths)."""
    pt2e: bool = True
    """Run torchao's own flow too."""
    pt2e_images: int = 640
    """Length of torchao's fine-tuning, which is many times slower; its row says so."""


def main(arguments: list[str]) -> None:
    """Parse, make the rows, print the table."""
    config = parse(CompareConfig, arguments, "Compare the ways to quantize a student, on the same latents.")
    settings = QatConfig(**{field.name: getattr(config, field.name) for field in dataclasses.fields(QatConfig)})
    trained = list(dict.fromkeys((settings.bits, *config.widths)))
    # From fine to coarse; float is finer than any number of bits.
    widths = sorted(
        {*trained, *config.rounded_widths},
        key=lambda bits: tuple(width or 32 for width in parse_bits(bits)),
        reverse=True,
    )
    run = open_run(settings.run, fresh_discriminator=settings.fresh_discriminator)
    if config.pt2e:  # its turn comes late
        check_length("--pt2e-images", config.pt2e_images, run.config)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(distributed_world(settings.device))
        if world.size > 1:
            raise UserError("the comparison runs in one process; start it without torchrun")
        stack.enter_context(claimed(settings.folder, world))
        sources = open_sources(settings.float_settings(run.config), run.folder, world)
        if settings.fresh_discriminator:
            introduce_classes(run.discriminator, sources)
        table = Table(settings.folder / REPORT_FILE, run, Judge(run, sources))
        try:
            table.add_float()
            comparison = Comparison(settings, run, sources, world, table)
            _make_rows(comparison, config, trained, widths)
        except Interrupted as stop:
            print(f"\nstopped; finished rows are in {table.path}; go on with the same command", file=sys.stderr)
            sys.exit(stop.exit_status)
    print(table)
    markdown = table.path.with_suffix(".md")
    write_text(markdown, table.markdown())
    for bits in trained:
        _print_recovered(table, dataclasses.replace(settings, bits=bits))


def _make_rows(
    comparison: Comparison, config: CompareConfig, trained: Sequence[str], widths: Sequence[str]
) -> None:
    for bits in trained:
        comparison.family(bits)
    comparison.class_paths(config.bits)
    comparison.student_only(config.bits)
    if config.pt2e:
        comparison.pt2e(config.pt2e_images)
    for bits in widths:
        if bits not in trained:
            comparison.family(bits, train=False)
    if len(widths) > 1:
        plot_widths(comparison.table, widths, config.folder / "widths.png")


def _print_recovered(table: Table, settings: QatConfig) -> None:
    for row in (NEAREST_ROW, POST_TRAINING_OF_CONTROL_ROW):
        share = recovered(table, settings.bits, settings.equalises, row)
        if share is not None:
            name = row.format(bits=settings.bits)
            print(f"of the L1 to the teacher that {name} costs, QAT recovers {share:.0%}")


if __name__ == "__main__":
    run_script(main)
