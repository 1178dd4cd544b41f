"""Scripts of the project as processes of their own."""

import importlib
import os
import subprocess
import sys

from train import cli, judging
from train.commands import ROOT


def run_script(script: str, *arguments: object, processes: int = 1) -> str:
    """Run a script to its end, in several processes by torchrun; return what it printed."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--"]
    done = subprocess.run(
        [*launcher, str(ROOT / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_main(script: str, arguments: list[str], log: str) -> None:
    """Be the process of a script, whose module may be there already; what it prints goes into a file."""
    with open(log, "wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    judging.JUDGED_IMAGES = 40  # drawing thousands would be most of a toy run's time
    sys.argv = [script, *arguments]
    cli.run_script(importlib.import_module(script.removesuffix(".py").replace("/", ".")).main)
