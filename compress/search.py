"""Find the widths that lose least under a budget: `python compress/search.py --run runs/digits --macs 2M 3M`.

Trains a supernet of all widths, once, in <run>/search/supernet, then searches it for every budget; each found
student is a run folder, <run>/search/<budget>, for train/sample.py, compress/qat.py and whatever takes a run.
Without --macs it only says which budgets can be reached. Running it again goes on where it was stopped.
"""

import sys
from pathlib import Path

import torch

from compress.finetune import check_terms
from compress.float_run import FloatRun, open_run
from compress.search_config import SearchConfig
from compress.supernet import is_trained, open_supernet, train_supernet
from compress.width_search import WidthSearch, describe
from compress.width_space import WidthSpace, in_millions, parse_count
from train.checkpoint import DISCRIMINATOR_FILE
from train.cli import parse, run_script
from train.commands import typed
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
    fewest, most = space.reach
    reach = f"budgets from {in_millions(fewest)} to {in_millions(most)} multiply-accumulates"
    budgets = {text: parse_count(text) for text in settings.macs}
    with distributed_world(settings.device) as world:
        if world.is_main:
            print(f"{reach}: the smallest and the full student of {settings.run}", flush=True)
        for text, budget in budgets.items():
            space.check(budget, text)
        if not budgets:
            return
        sources = _trained(settings, run, world)
    # Outside, because norms that are measured in several processes wait for each other.
    if world.is_main:
        _search(settings, run, sources, budgets, world.device)


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
    try:
        train_supernet(settings, run, sources, world)
    except Interrupted as stop:
        if world.is_main:
            print(f"\nstopped; saved in {settings.folder}; go on with the same command", file=sys.stderr)
        sys.exit(stop.exit_status)
    return sources


def _search(
    settings: SearchConfig, run: FloatRun, sources: Sources, budgets: dict[str, int], device: torch.device
) -> None:
    folder = settings.folder
    remedy = "wait until it has ended, or give another --out"
    with locked(folder, f"searches in {folder}", wait=False, remedy=remedy):
        search = WidthSearch(settings, run, sources, open_supernet(settings, run, device))
        for text, budget in budgets.items():  # all of them first: nothing is searched for a folder that is refused
            search.found(text, budget)
        for text, budget in budgets.items():
            row = search.found(text, budget) or search.find(text, budget)
            print(
                f"{text}: {describe(row)}; go on with: {typed('compress/qat.py', '--run', folder / text)}",
                flush=True,
            )


if __name__ == "__main__":
    run_script(main)
