"""Makes up for what an environment lacks: closed standard streams, a home, a user's name, letters of the output.

`train/__init__.py` calls `complete` before anything else of the project is imported.
"""

import getpass
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def complete() -> None:
    """Give this process three open streams, a home folder and a user name, so that libraries find them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed: the next file that anybody opens would be written to in its place
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115
    try:
        Path.home()
    except (RuntimeError, KeyError):
        os.environ["HOME"] = tempfile.gettempdir()
    try:
        getpass.getuser()
    except (OSError, KeyError, ImportError):
        os.environ["LOGNAME"] = "unknown"


class Stream:
    """A standard stream that outlives its reader, and writes "?" for letters that its encoding does not have."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        """Write; into nothing, once nobody reads any more or the disk is full."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Flush; into nothing, once nobody reads any more or the disk is full."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
        if not isinstance(error, BrokenPipeError):
            print(f"what is printed cannot be written ({error.strerror}); going on without", file=sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
