"""Keep the talk of converters and native libraries off the terminal, unless something fails."""

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

_DESCRIPTORS = (1, 2)
# What ExecuTorch's runtime says on every start: how it looks for cores, and our thread count.
_CHATTER = re.compile(
    rb"\[(cpuinfo_utils|threadpool)\.cpp:\d+\] (Reading|Failed to open midr|CPU info and|Resetting)"
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings, log records below ERROR, and what Python or native code writes to stdout and stderr.

    If an exception leaves the context, what was written goes to stderr first: it often says more than the
    exception. The root logger, which some imports change, is afterwards as it was.
    """
    root = logging.getLogger()
    level, handlers, disabled = root.level, list(root.handlers), logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), _held():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        root.handlers[:] = handlers


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Hold back what is written to the two descriptors and, where Python's streams are others, to those."""
    _flush()
    saved = [os.dup(descriptor) for descriptor in _DESCRIPTORS]
    with tempfile.TemporaryFile() as held:
        try:
            for descriptor in _DESCRIPTORS:
                os.dup2(held.fileno(), descriptor)
            with (
                open(held.fileno(), "w", closefd=False, encoding="utf-8") as stream,
                contextlib.redirect_stdout(stream),
                contextlib.redirect_stderr(stream),
            ):
                yield
        except BaseException:
            _restore(saved)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            _restore(saved)
            for descriptor in saved:
                os.close(descriptor)


def _restore(saved: list[int]) -> None:
    _flush()
    for descriptor, copy in zip(_DESCRIPTORS, saved, strict=True):
        os.dup2(copy, descriptor)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Drop the chatter of ExecuTorch's runtime from stderr; all else is passed on at the end."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile("a+b") as caught:
        # The native code writes to the descriptor, its bindings to sys.stderr.
        os.dup2(caught.fileno(), 2)
        try:
            with (
                open(caught.fileno(), "w", closefd=False, encoding="utf-8") as stream,
                contextlib.redirect_stderr(stream),
            ):
                yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            sys.stderr.writelines(line.decode(errors="replace") for line in caught if not _CHATTER.match(line))
