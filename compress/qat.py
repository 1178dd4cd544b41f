"""Quantization-aware training: `python compress/qat.py --run runs/digits [--bits W4A8] [--flag value ...]`.

It leaves student_int8.safetensors, report.json and comparison.png in <run>/qat. Running it again resumes it.
"""

import sys
import time

from compress.advice import advice
from compress.config import INT8_FILE, QatConfig
from compress.deploy_form import deploy_form
from compress.evaluate import Judge
from compress.finetune import calibration_batches, finetune, is_finished, quantize_post_training
from compress.float_run import open_run
from compress.quality_table import POST_TRAINING_ROW, QAT_ROW, REPORT_FILE, Table, stored_rows, table_of
from compress.train_on import claimed
from train.cli import parse, run_script
from train.distributed import distributed_world
from train.loop import Interrupted
from train.run import introduce_classes
from train.sources import open_sources


def main(arguments: list[str]) -> None:
    """Parse, resolve, quantize, report."""
    settings = parse(QatConfig, arguments, "Turn a float student into one that computes as a phone does.")
    run = open_run(settings.run, fresh_discriminator=settings.fresh_discriminator)
    name = QAT_ROW.format(bits=settings.bits)
    if is_finished(settings, run) and (rows := stored_rows(settings.folder / REPORT_FILE, run, name, settings)):
        print(table_of(rows))
        print(f"{settings.folder} is finished; its results are there: {settings.folder / INT8_FILE}")
        return
    with distributed_world(settings.device) as world, claimed(settings.folder, world):
        if world.is_main and (line := advice(settings, run)):
            print(line, flush=True)
        sources = open_sources(settings.float_settings(run.config), run.folder, world)
        if settings.fresh_discriminator:
            introduce_classes(run.discriminator, sources)
        started = time.monotonic()
        batches = calibration_batches(settings, run, sources, world)
        calibrated = quantize_post_training(deploy_form(run.student).to(world.device), settings, batches)
        calibration_seconds = time.monotonic() - started
        try:
            result = finetune(settings, run, sources, calibrated, world)
        except Interrupted as stop:
            if world.is_main:
                print(f"\nstopped; saved in {settings.folder}; go on with the same command", file=sys.stderr)
            sys.exit(stop.exit_status)
        if not world.is_main:
            return
        table = Table(settings.folder / REPORT_FILE, run, Judge(run, sources))
        table.add_float()
        table.add_post_training(
            POST_TRAINING_ROW.format(bits=settings.bits),
            calibrated,
            settings,
            seconds=calibration_seconds,
            own_float=table.float_images,
        )
        table.add_trained(name, result, settings)
        print(table)
        print(f"int8 student: {result.file}; pictures and report: {settings.folder}")


if __name__ == "__main__":
    run_script(main)
