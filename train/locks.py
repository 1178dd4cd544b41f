"""One lock for everything that two commands may write at once: a run, a collection, artifacts, results.

A lock is a hidden file in the folder that it keeps. One that a kill has left there means nothing: what counts is
who holds it, and the system lets go of it when that process ends.
"""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from train.errors import UserError

LOCK_FILE = ".lock"
# What systems answer where a disk has no locks: NFS without its daemon, FUSE, some network shares.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def locked(
    folder: Path,
    doing: str,
    *,
    name: str = LOCK_FILE,
    wait: bool = True,
    remedy: str = "wait until it has ended",
) -> Iterator[None]:
    """Keep every other process that asks for the same lock out of the context.

    Args:
        folder: where the lock file is, made if it is missing.
        doing: what the process that holds the lock does, for messages: "trains in runs/digits".
        name: of the lock file, where a folder has several things to lock.
        wait: for the lock, after a line that says so; else refuse.
        remedy: what to do about a refusal.

    Raises:
        UserError: another process has the lock and `wait` is false, or no lock file can be made there.
    """
    lock = _hold(folder, name, doing, wait, remedy)
    try:
        yield
    finally:
        if isinstance(lock, FileLock):  # who waits for it finds that the file has gone, and makes another
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        lock.release()


def _hold(folder: Path, name: str, doing: str, wait: bool, remedy: str) -> BaseFileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _acquire(FileLock(folder / name, fallback_to_soft=False), doing, wait, remedy)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise UserError(
                f"{folder} cannot be written to ({error.strerror or error}); choose another folder"
            ) from None
    # The existence of a second file stands for the lock: the first may be there with nobody holding it.
    held = folder / f"{name}.held"
    said = f"{doing} (or one was killed on another machine: then delete {held})"
    return _acquire(SoftFileLock(held), said, wait, remedy)


def _acquire(lock: BaseFileLock, doing: str, wait: bool, remedy: str) -> BaseFileLock:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            raise UserError(f"another process {doing}; {remedy}") from None
        print(f"waiting: another process {doing}", flush=True)
        lock.acquire(poll_interval=0.2)
    return lock
