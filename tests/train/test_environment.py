import os
import subprocess
import sys

import pytest

SAYS = "from train.cli import run_script; run_script(lambda arguments: print('√ done ×'))"


def start(code, *, shell="{}", **environment):
    """Run code in a process whose streams a shell arranges."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if "PYTHONPATH" in os.environ:
        inherited["PYTHONPATH"] = os.environ["PYTHONPATH"]
    command = shell.format('"$PY" -c "$CODE"')
    variables = inherited | {"PY": sys.executable, "CODE": code} | environment
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], env=variables, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("shell", "printed"),
    [
        ("{}", "√ done ×"),
        ("{} >&-", ""),
        ("{} 2>&-", "√ done ×"),
        ("{} >&- 2>&- <&-", ""),
        ("{} | true", ""),
        ("{} > /dev/full", ""),
    ],
)
def test_streams_that_are_closed_or_broken_or_full(shell, printed):
    done = start(SAYS, shell=shell)
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert done.stdout.decode().strip() == printed


def test_the_work_goes_on_when_nobody_reads_any_more(tmp_path):
    code = (
        "import pathlib; from train.cli import run_script\n"
        "def main(arguments):\n"
        "    for _ in range(100000): print('x' * 100)\n"
        f"    pathlib.Path({str(tmp_path / 'done')!r}).touch()\n"
        "run_script(main)"
    )
    done = start(code, shell="{} | head -n 1 > /dev/null")
    assert (tmp_path / "done").exists() and done.returncode == 0 and b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_letters_that_an_encoding_does_not_have(encoding):
    done = start(SAYS, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and b"done" in done.stdout


def test_an_opened_file_does_not_take_a_closed_streams_place(tmp_path):
    code = (
        "import train, os\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w')\n"
        "assert file.fileno() > 2\n"
        "os.write(1, b'x'); os.write(2, b'y'); file.write('whole'); file.close()"
    )
    assert start(code, shell="{} >&- 2>&-").returncode == 0
    assert (tmp_path / "file").read_text() == "whole"


def test_without_a_home_and_a_name():
    code = (
        "import pathlib, getpass\n"
        "def unknown(*_): raise KeyError('uid not found')\n"
        "import pwd; pwd.getpwuid = unknown\n"
        "import train; print(pathlib.Path.home(), getpass.getuser())\n"
        "import train.biggan"
    )
    done = start(
        f"import os; [os.environ.pop(n, None) for n in ('HOME', 'USER', 'LOGNAME', 'LNAME', 'USERNAME')]\n{code}"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split()[-1] == "unknown"


def test_cores_are_those_that_the_process_may_use():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from train.machine import usable_cores; print(usable_cores())"
    )
    assert start(code).stdout.strip() == b"1"
