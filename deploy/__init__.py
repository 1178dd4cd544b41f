import sys
from pathlib import Path

# `python -m` lets the current folder hide packages, ours and others': a train.py there, a checkout of executorch.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.path[0] != str(Path(__file__).parents[1]):
    del sys.path[0]

import train  # noqa: F401 (which completes the environment before any library is imported)
