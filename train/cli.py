"""What every command-line script of the project shares: flags from dataclasses, errors in one line."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import tyro

from train.environment import Stream
from train.errors import UserError, did_you_mean

Config = TypeVar("Config")
_BOX_DRAWING = re.compile(r"[\u2500-\u257f]+")
_RULE = re.compile(r"\u2500{3,}")  # between the sections of a box


def parse(config_type: type[Config], arguments: Sequence[str], description: str) -> Config:
    """Read `config_type`, a dataclass, from `arguments`.

    Raises:
        UserError: an unknown flag or a value of the wrong type.
    """
    return _one_line_errors(
        arguments,
        lambda: tyro.cli(config_type, args=list(arguments), description=description),
    )


def parse_preset(
    presets: Mapping[str, tuple[str, Config]], default: str, arguments: Sequence[str]
) -> tuple[str, Config]:
    """Read `[PRESET] [--flag value ...]`; every field of the preset's dataclass is a flag.

    Args:
        presets: name → (one-line description, configuration).
        default: the preset taken when `arguments` names none.
        arguments: the command line without the program's name.

    Returns:
        The preset's name and its configuration with the flags applied.

    Raises:
        UserError: an unknown preset or flag, or a value of the wrong type.
    """
    arguments = list(arguments)
    wants_help = "-h" in arguments or "--help" in arguments  # alone it lists the presets, after one its flags
    if not wants_help and (not arguments or arguments[0].startswith("-")):
        arguments.insert(0, default)
    name, *flags = arguments
    if name not in presets and not name.startswith("-"):
        raise UserError(f"unknown preset {name!r}{did_you_mean(name, presets)}; --help lists them")

    def read() -> Config:
        if wants_help:
            return tyro.extras.overridable_config_cli(dict(presets), args=arguments)
        _, preset = presets[name]  # the flags of one alone: those of all take a second
        return tyro.cli(type(preset), default=preset, args=flags, config=(tyro.conf.AvoidSubcommands,))

    return name, _one_line_errors(arguments, read)


def _one_line_errors(arguments: Sequence[str], read: Callable[[], Config]) -> Config:
    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            return read()
    except SystemExit as stop:
        if not stop.code:
            raise  # --help
        raise UserError(_condense(output.getvalue(), arguments)) from None


def _condense(boxed: str, arguments: Sequence[str]) -> str:
    """Turn the parser's boxed, many-line complaint into one line: the complaint and the nearest flag."""
    complaint, suggestion, sections = [], "", 0
    lines = iter(boxed.splitlines())
    for line in lines:
        text = _BOX_DRAWING.sub(" ", line).strip()
        if _RULE.search(line):
            sections += 1
        elif text.startswith("Perhaps you meant"):
            nearest = _BOX_DRAWING.sub(" ", next(lines, "")).split()
            suggestion = f"; did you mean {nearest[0]}?" if nearest else ""
        elif sections == 1 and text:
            complaint.append(text)
    return f"{' '.join(complaint)}{suggestion} (got: {' '.join(arguments)}; --help lists the flags)"


def run_script(main: Callable[[list[str]], None]) -> None:
    """Run `main` on the command line; a `UserError` becomes one line on stderr and exit status 2."""
    sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)  # type: ignore[assignment]
    try:
        main(sys.argv[1:])
        sys.stdout.flush()
    except UserError as error:
        sys.exit(_fail(str(error)))
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        sys.exit(_fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")))


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
