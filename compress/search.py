"""Find the widths that lose least under budgets.

    python compress/search.py --run runs/digits --macs 75% 50%     # or --macs 1M, --ms 0.1, --bytes 100k

Trains a supernet of all widths, once, in <run>/search/supernet, then searches it for every budget; each found
student is a run folder, <run>/search/<budget>, for train/sample.py, compress/qat.py and whatever takes a run.
Without a budget it only says which can be reached. Running it again goes on where it was stopped.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import torch

from compress.budget import Budget, Cost, Flag
from compress.float_run import FloatRun, open_run
from compress.program_costs import fit, machine_name, read_table
from compress.search_config import SearchConfig
from compress.supernet import is_trained, open_supernet, train_supernet
from compress.train_on import check_terms
from compress.width_search import WidthSearch, describe
from compress.width_space import WidthSpace
from train.checkpoint import DISCRIMINATOR_FILE
from train.cli import parse, run_script
from train.commands import script_process, typed
from train.distributed import World, distributed_world
from train.errors import UserError
from train.locks import locked
from train.loop import Interrupted
from train.places import CONFIG_FILE, read_settings
from train.snapshot import STUDENT_FILE
from train.sources import Sources, open_sources


def main(arguments: list[str]) -> None:
    """Parse, say what can be reached, train the supernet, search."""
    settings = parse(SearchConfig, arguments, "Find narrower students of a run, under budgets.")
    _check_kind(settings.run)
    run = open_run(settings.run)
    check_terms(run.config)
    if not run.config.data.teacher:
        raise UserError(f"{settings.run} was trained without a teacher; give a run that was distilled from one")
    space = WidthSpace(run.info.generator)
    settings.finetune_settings(run.config)  # refused before anything is trained
    with distributed_world(settings.device) as world:
        budgets = world.main_first(lambda: _budgets(settings, space, said=world.is_main))
        if not budgets:
            return
        sources = _trained(settings, run, world)
    # Outside, because norms that are measured in several processes wait for each other.
    if world.is_main:
        _search(settings, run, sources, budgets, world.device)


def _budgets(settings: SearchConfig, space: WidthSpace, *, said: bool) -> list[Budget]:
    """Say what can be reached and return what was asked for, measuring programs first where that needs some."""
    found = []
    for flag in get_args(Flag):
        texts = getattr(settings, flag)
        if not texts and flag != "macs":
            continue
        cost = _cost(settings, space, flag, said=said)
        if said:
            print(f"{cost.describe(space)}: the smallest and the full student of {settings.run}", flush=True)
        found += [cost.budget(text, space) for text in texts]
    return found


def _cost(settings: SearchConfig, space: WidthSpace, flag: Flag, *, said: bool) -> Cost:
    if flag == "macs":
        return Cost(flag, space.macs)
    path = settings.programs_file
    if settings.programs is None and not path.is_file():
        command = ("benchmarks/time_widths.py", "--run", str(settings.run))
        print(f"measuring int8 programs, once: {typed(*command)}", flush=True)
        if status := subprocess.run(script_process(*command), check=False).returncode:
            raise UserError(f"{typed(*command)} has failed (exit status {status})")
    machine = settings.machine or machine_name()
    fitted = fit(read_table(path, space.config, machine if flag == "ms" else None), flag)
    if said:
        print(fitted.describe(), flush=True)
    return Cost(flag, lambda genes: fitted(space.student(genes)))


def _check_kind(folder: Path) -> None:
    """Raise a UserError if a run's network is no student, or has no critic to go on with."""
    if (folder / CONFIG_FILE).is_file():
        try:
            kind = read_settings(folder)["generator"]["architecture"]
        except (UserError, KeyError, TypeError):
            return  # whatever it is, `open_run` says what is wrong
        if kind == "biggan":
            raise UserError(
                f"{folder} is the run of a teacher, not of a student; give that of a dw or std student"
            )
    critic = folder / DISCRIMINATOR_FILE
    if (folder / STUDENT_FILE).is_file() and not critic.is_file():
        raise UserError(
            f"no trained discriminator at {critic}, which all widths are trained against; restore it, or train "
            "the student anew"
        )


def _trained(settings: SearchConfig, run: FloatRun, world: World) -> Sources:
    """Train the supernet unless that is done; return the run's data."""
    trained = is_trained(settings, run)
    sources = open_sources(settings.supernet_settings(run.config), run.folder, world)
    if trained:
        return sources
    with _stopping(settings.supernet_folder, said=world.is_main):
        train_supernet(settings, run, sources, world)
    return sources


def _search(
    settings: SearchConfig, run: FloatRun, sources: Sources, budgets: Sequence[Budget], device: torch.device
) -> None:
    folder = settings.folder
    remedy = "wait until it has ended, or give another --out"
    with locked(folder, f"searches in {folder}", wait=False, remedy=remedy):
        search = WidthSearch(settings, run, sources, open_supernet(settings, run, device))
        for budget in budgets:  # all of them first: nothing is searched for a folder that is refused
            search.found(budget)
        for budget in budgets:
            with _stopping(folder):
                row = search.found(budget) or search.find(budget)
            then = typed("compress/qat.py", "--run", folder / budget.folder)
            print(f"{budget.folder}: {describe(row)}; go on with: {then}", flush=True)


@contextlib.contextmanager
def _stopping(folder: Path, *, said: bool = True) -> Iterator[None]:
    """Leave with its exit status if training is told to stop."""
    try:
        yield
    except Interrupted as stop:
        if said:
            print(f"\nstopped; saved in {folder}; go on with the same command", file=sys.stderr)
        sys.exit(stop.exit_status)


if __name__ == "__main__":
    run_script(main)
