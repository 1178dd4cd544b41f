import errno
import fcntl
import os
import subprocess
import sys
import textwrap

import pytest

from train.errors import UserError
from train.locks import locked

HOLDS = """
    import sys
    from pathlib import Path
    from train.locks import locked
    with locked(Path(sys.argv[1]), "tests"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path` / "folder" until its input ends."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDS), str(tmp_path / "folder")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_second_process_is_refused_with_a_line(tmp_path, holder):
    with (
        pytest.raises(UserError, match=r"another process tests here; choose another"),
        locked(tmp_path / "folder", "tests here", wait=False, remedy="choose another"),
    ):
        pass


def test_a_second_process_waits_with_a_line(tmp_path, holder, capsys, monkeypatch):
    from filelock import FileLock

    acquire, waited = FileLock.acquire, []

    def watched(self, *all, **options):
        if options.get("blocking", True):
            waited.append(True)
            holder.stdin.close()
            holder.wait()
        return acquire(self, *all, **options)

    monkeypatch.setattr(FileLock, "acquire", watched)
    with locked(tmp_path / "folder", "tests here"):
        assert waited
    assert capsys.readouterr().out == "waiting: another process tests here\n"


def test_a_kill_lets_go(tmp_path, holder):
    holder.kill()
    holder.wait()
    with locked(tmp_path / "folder", "tests", wait=False):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_without_file_locks_a_file_stands_for_one(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        locked(tmp_path, "tests", wait=False),
        pytest.raises(UserError, match=r"another process tests .*delete .*held"),
        locked(tmp_path, "tests", wait=False),
    ):
        pass
    with locked(tmp_path, "tests", wait=False):
        pass


def test_a_place_without_write_access_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another folder"), locked(tmp_path / "file", "tests"):
        pass
