"""Scripts of the project as processes of their own."""

import os
import subprocess
import sys

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
        timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
