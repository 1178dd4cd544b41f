"""Where nothing can be written: every command says so in one line, before the work."""

import json
import subprocess
import sys

import pytest

from train.commands import ROOT, process_environment

STUDENT = str(ROOT / "train" / "assets" / "digits_student")
MOUNTED = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
COMMANDS = {
    "train.main": ["digits", "--data.per-class", "2", "--optimizer.images", "64", "--run", "{}/runs/x"],
    "train.collect": ["--teacher", "digits", "--per-class", "2", "--out", "{}/pairs"],
    "train.sample": ["--run", STUDENT, "--out", "{}/grid.png"],
    "train.pack": [str(ROOT / "train"), "{}/photos.npz"],
    "train.groups": ["--preset", "digits", "--out", "{}/groups"],
    "compress.post_training": ["--run", STUDENT, "--out", "{}/post"],
    "compress.sensitivity": ["--run", STUDENT, "--out", "{}/post"],
    "deploy.android.export": ["--run", STUDENT, "--out", "{}/artifacts"],
    "deploy.ios.export": ["--run", STUDENT, "--out", "{}/artifacts"],
    "deploy.web.export": ["--run", STUDENT, "--out", "{}/web"],
    "deploy.bundle": [STUDENT, "--out", "{}/bundle"],
    "benchmarks.run_device": ["--run", STUDENT, "--parts", "cost", "--out", "{}/benchmark"],
    "benchmarks.judge": ["--models", f"a={STUDENT}", "--classes", "0-9", "--out", "{}/table.json"],
    "benchmarks.learning_curve": ["--runs", STUDENT, "--reference", "digits", "--out", "{}/curve.json"],
    "benchmarks.ablations": ["--runs", "{}/runs", "--out", "{}/ablations.json"],
    "benchmarks.train_throughput": ["--out", "{}/throughput.json"],
    "benchmarks.time_widths": ["--run", STUDENT, "--out", "{}/widths.json"],
}
CODE = """
import importlib, json, sys
from train.errors import UserError
for module, arguments in json.loads(sys.argv[1]).items():
    try:
        importlib.import_module(module).main(arguments)
        print(f"{module}: done")
    except UserError as error:
        print(f"{module}: {error}")
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command said, in one process whose folder is on a disk that is mounted for reading alone."""
    folder = tmp_path_factory.mktemp("disk")
    inside = ["unshare", "-m", "sh", "-c", MOUNTED, "sh", str(folder)]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: nobody but root may mount a disk that cannot be written to")
    commands = {module: [word.format(folder) for word in words] for module, words in COMMANDS.items()}
    code = [sys.executable, "-P", "-c", CODE, json.dumps(commands)]
    done = subprocess.run([*inside, *code], capture_output=True, text=True, check=False, env=process_environment())
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith(tuple(COMMANDS)))


@pytest.mark.parametrize("module", COMMANDS)
def test_a_disk_that_cannot_be_written_to_is_one_line(said, module):
    assert "cannot be written" in said[module]
    assert said[module].endswith("choose another folder")
