"""Compare the ways to quantize a run's student: `python compress/compare.py --run runs/digits`.

It adds to <run>/qat/report.json the float control, post-training quantization, quantization-aware training with
and without the distillation losses, torchao's flow, and a width of few bits. Running it again goes on with the
rows that are missing.
"""

import dataclasses
import sys

from compress.comparison import Comparison, recovered
from compress.config import QatConfig
from compress.evaluate import Judge
from compress.float_run import open_run
from compress.report import Table
from train.cli import parse, run_script
from train.distributed import distributed_world
from train.errors import UserError
from train.loop import Interrupted
from train.sources import open_sources


@dataclasses.dataclass(frozen=True)
class CompareConfig(QatConfig):
    """Which rows to make, and how all of them are trained."""

    few_bits: str = "W4A8"
    """The second width; empty for none."""
    pt2e: bool = True
    """Run torchao's own flow too."""
    pt2e_images: int = 640
    """Length of torchao's fine-tuning, which is many times slower; its row says so."""


def main(arguments: list[str]) -> None:
    """Parse, make the rows, print the table."""
    config = parse(CompareConfig, arguments, "Compare the ways to quantize a student, on the same latents.")
    settings = QatConfig(**{field.name: getattr(config, field.name) for field in dataclasses.fields(QatConfig)})
    if config.few_bits == settings.bits:
        raise UserError(f"--few-bits {config.few_bits} is --bits; name another width or pass an empty one")
    run = open_run(settings.run, fresh_discriminator=settings.fresh_discriminator)
    with distributed_world(settings.device) as world:
        if world.size > 1:
            raise UserError("the comparison runs in one process; start it without torchrun")
        sources = open_sources(settings.float_settings(run.config), run.folder, world)
        table = Table(settings.folder / "report.json", run, Judge(run, sources))
        try:
            table.add_float()
            comparison = Comparison(settings, run, sources, world, table)
            comparison.family(settings.bits)
            if config.few_bits:
                comparison.family(config.few_bits)
                share = recovered(table, config.few_bits)
                if share is not None:
                    print(f"{config.few_bits}: QAT recovers {share:.0%} of the L1 that post-training loses")
            comparison.student_only(settings.bits)
            if config.pt2e:
                comparison.pt2e(config.pt2e_images)
        except Interrupted as stop:
            print(f"\nstopped; finished rows are in {table.path}; go on with the same command", file=sys.stderr)
            sys.exit(stop.exit_status)
    print(table)


if __name__ == "__main__":
    run_script(main)
