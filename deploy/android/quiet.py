"""Keep the talk of native libraries off the terminal, unless something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to stdout and stderr inside the context, by native code too.

    If an exception leaves the context, all of it goes to stderr first: it often says more than the exception.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with tempfile.TemporaryFile() as held:
        try:
            for descriptor in (1, 2):
                os.dup2(held.fileno(), descriptor)
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
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor, copy in zip((1, 2), saved, strict=True):
        os.dup2(copy, descriptor)
