"""Commands of this project: as a message tells a user to type them, and as processes of their own.

Both hold from any folder, whatever lies in it: paths are quoted and found again, and a train.py or a checkout of a
library in the current folder is not what a process of ours imports.
"""

import importlib.metadata
import os
import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""Where our packages lie: the checkout, or the folder that they were installed into."""
_PACKAGE = "tinygan-edge"


def typed(script: str, *arguments: object) -> str:
    """Return a command line for a message, such as `python train/collect.py --out 'my pairs'`.

    Args:
        script: relative to the checkout.
        arguments: unquoted.
    """
    path = script if Path(script).is_file() and Path(script).samefile(ROOT / script) else str(ROOT / script)
    return shlex.join(["python", path, *map(str, arguments)])


def to_install(extra: str) -> str:
    """Return the command line that installs what the optional parts named `extra` need."""
    if (ROOT / "pyproject.toml").is_file():
        here = Path.cwd() == ROOT
        return shlex.join(["pip", "install", "--editable", f"{'.' if here else ROOT}[{extra}]"])
    return shlex.join(["pip", "install", *_requirements_of(extra)])


def _requirements_of(extra: str) -> list[str]:
    """Return what optional parts need, those named among it resolved: this package itself is on no registry."""
    try:
        requirements = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    needed = []
    for name, _, condition in (requirement.partition(";") for requirement in requirements):
        if not condition.strip().endswith((f'"{extra}"', f"'{extra}'")):
            continue
        part = re.fullmatch(rf"{_PACKAGE}\[(.+)\]", name.strip())
        needed += [name.strip()] if part is None else _requirements_of(part[1])
    return list(dict.fromkeys(needed))


def spoken(seconds: float) -> str:
    """Return a duration in the unit that fits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def script_process(script: str, *arguments: object) -> list[str]:
    """Return the words that start a script of the checkout as a process."""
    return [sys.executable, str(ROOT / script), *map(str, arguments)]


def module_process(module: str, *arguments: object) -> list[str]:
    """Return the words that start a module of ours as a process; its environment is `process_environment`."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def process_environment(**variables: str) -> dict[str, str]:
    """Return the environment of a process that imports this code and nothing from the current folder."""
    found = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), *([found] if found else [])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **variables}
