"""What the scripts say when asked for --help, as text: `python tests/support/help_texts.py` writes docs/help.

The text is that of a terminal of 100 columns, without frames, so that it can be read, searched and compared.
"""

import contextlib
import functools
import importlib
import io
import os
import re
import sys
from pathlib import Path
from unittest import mock

from train.commands import ROOT

STAGES = ("train", "compress", "deploy", "benchmarks")
SOURCES = sorted(path for stage in STAGES for path in (ROOT / stage).rglob("*.py"))
SCRIPTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in SOURCES
    if "run_script(main)" in path.read_text(encoding="utf-8")
)
PAGES = sorted(
    path
    for pattern in ("*.md", *(f"{folder}/**/*.md" for folder in (*STAGES, "docs")))
    for path in ROOT.glob(pattern)
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)
HELP = ROOT / "docs" / "help"
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9.-]*[a-z0-9]")
_PRESET = {"train.main": "digits"}  # whose flags and defaults stand for all presets'
_CHOICES = re.compile(r"\{[\w,\s-]{200,}\}")  # all presets, cut anywhere


def help_of(module: str) -> str:
    """What a script's --help prints; of one with presets, those and the flags of one of them."""
    texts = [_printed(module, ["--help"])]
    if preset := _PRESET.get(module):
        texts.append(_printed(module, [preset, "--help"]))
    return "\n".join(texts)


def help_file(module: str) -> Path:
    """Where its help stands as text."""
    return HELP / f"{module.replace('.', '-')}.txt"


@functools.cache
def flags_of(module: str) -> frozenset[str]:
    """The flags that a script's help lists; that the text is current is a test of its own."""
    return frozenset(FLAG.findall(help_file(module).read_text(encoding="utf-8")))


def _printed(module: str, arguments: list[str]) -> str:
    said = io.StringIO()
    as_started = mock.patch.object(sys, "argv", [f"{module.rpartition('.')[2]}.py", *arguments])
    terminal = mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"})
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit), as_started, terminal:
        importlib.import_module(module).main(arguments)
    lines = [_unframed(line) for line in said.getvalue().splitlines()]
    text = _CHOICES.sub("PRESET", "\n".join(lines))
    return re.sub(r"\n\n(?= {15,})", "\n", re.sub(r"\n{3,}", "\n\n", text)).strip() + "\n"


def _unframed(line: str) -> str:
    if line.startswith("╭"):
        return "\n" + line.strip("╭╮─ ") + ":"
    return "" if line.startswith("╰") else line.removeprefix("│ ").removesuffix("│").strip("─").rstrip()


def main() -> None:
    """Write the help of every script, and remove that of scripts that are gone."""
    HELP.mkdir(parents=True, exist_ok=True)
    for path in HELP.glob("*.txt"):
        path.unlink()
    for module in SCRIPTS:
        help_file(module).write_text(help_of(module), encoding="utf-8")


if __name__ == "__main__":
    main()
