import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from train.commands import ROOT, module_process, process_environment, script_process, to_install, typed

# What may lie in the folder that a command is started in.
FOLDERS = {
    "script": lambda folder: (folder / "train.py").write_text("import sys"),
    "printing": lambda folder: (folder / "train.py").write_text("print('mine')"),
    "photos": lambda folder: (folder / "train" / "n01440764").mkdir(parents=True),
    "checkout": lambda folder: _package(folder / "numpy"),
}


def _package(folder):
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('the wrong one')")


@pytest.fixture(params=FOLDERS)
def elsewhere(request, tmp_path):
    FOLDERS[request.param](tmp_path)
    return tmp_path


def test_a_process_of_ours_imports_nothing_from_the_current_folder(elsewhere):
    command = module_process("train.classes")
    done = subprocess.run(command, cwd=elsewhere, env=process_environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.fixture(params=["files", "folder"])
def everything(request, tmp_path):
    """All of it in one folder; `train` is a file or a folder. The commands take seconds to start."""
    FOLDERS["checkout"](tmp_path)
    FOLDERS["photos" if request.param == "folder" else "printing"](tmp_path)
    return tmp_path


def test_python_m_imports_nothing_from_the_current_folder(everything):
    command = [sys.executable, "-m", "deploy.verify", "nowhere"]
    done = subprocess.run(command, cwd=everything, env=_plain(), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: no manifest.json in nowhere; export with: python ")


def test_a_folder_called_as_a_package_of_ours_hides_nothing_from_a_script(tmp_path):
    """`python -m deploy.verify` would take it for the package, before any line of ours runs."""
    (tmp_path / "deploy").mkdir()
    command = script_process("deploy/verify.py", "nowhere")
    done = subprocess.run(command, cwd=tmp_path, env=_plain(), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: no manifest.json in nowhere; export with: ")


def _plain():
    """The environment of a user, who may have our packages on no path but the installed one."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}


def test_a_script_starts_from_any_folder(everything):
    done = subprocess.run(
        script_process("train/main.py", "digits", "--dry-run"), cwd=everything, capture_output=True, check=False
    )
    assert done.returncode == 0 and b'"preset": "digits"' in done.stdout


@pytest.mark.parametrize("name", ["plain", "with space", "quo'te", "Bücher", "$HOME", "a;b"])
def test_a_command_in_a_message_is_one_that_a_shell_can_take(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(typed("train/collect.py", "--teacher", "digits", "--out", tmp_path / name))
    assert words[0] == "python" and Path(words[1]).is_file() and words[-1] == str(tmp_path / name)
    monkeypatch.chdir(ROOT)
    assert shlex.split(typed("train/main.py"))[1] == "train/main.py"


@pytest.mark.parametrize("extra", ["compress", "android", "ios", "benchmarks", "tensorflow"])
def test_what_to_install_is_there_to_be_installed(extra, tmp_path, monkeypatch):
    for folder in (ROOT, tmp_path):
        monkeypatch.chdir(folder)
        *command, place = shlex.split(to_install(extra))
        assert command == ["pip", "install", "--editable"] and place.endswith(f"[{extra}]")
        assert (Path(place.removesuffix(f"[{extra}]")) / "pyproject.toml").is_file()
    monkeypatch.setattr("train.commands.ROOT", tmp_path)  # installed, without a checkout
    names = shlex.split(to_install(extra))[2:]
    assert names and all(name[0].isalpha() and "tinygan" not in name for name in names)
