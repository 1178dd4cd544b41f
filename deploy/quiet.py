"""Keep the talk of converters and native libraries off the terminal, unless something fails."""

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence

_REDIRECTS = {1: contextlib.redirect_stdout, 2: contextlib.redirect_stderr}
# What ExecuTorch's runtime says on every start: how it looks for cores, and our thread count.
_CHATTER = re.compile(
    rb"(?m)^\[(cpuinfo_utils|threadpool)\.cpp:\d+\] (Reading|Failed to open midr|CPU info and|Resetting).*\n?"
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
        with warnings.catch_warnings(), _held((1, 2), lambda said, failed: said if failed else b""):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        root.handlers[:] = handlers


def without_chatter() -> contextlib.AbstractContextManager[None]:
    """Drop the chatter of ExecuTorch's runtime from stderr; all else is passed on at the end."""
    # The native code writes to the descriptor, its bindings to sys.stderr.
    return _held((2,), lambda said, _: _CHATTER.sub(b"", said))


@contextlib.contextmanager
def _held(descriptors: Sequence[int], passed_on: Callable[[bytes, bool], bytes]) -> Iterator[None]:
    """Hold back what is written to descriptors and, where Python's streams are others, to those.

    In the end `passed_on`, which is told what was written and whether an exception left the context, says what of
    it goes to stderr.
    """
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in descriptors}
    failed = True
    with tempfile.TemporaryFile() as held:
        try:
            for descriptor in descriptors:
                os.dup2(held.fileno(), descriptor)
            with contextlib.ExitStack() as streams:
                stream = streams.enter_context(open(held.fileno(), "w", closefd=False, encoding="utf-8"))
                for descriptor in descriptors:
                    streams.enter_context(_REDIRECTS[descriptor](stream))
                yield
            failed = False
        finally:
            _flush()
            for descriptor, copy in saved.items():
                os.dup2(copy, descriptor)
                os.close(copy)
            held.seek(0)
            sys.stderr.write(passed_on(held.read(), failed).decode(errors="replace"))


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
