import importlib.util
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from tensorflow_opinion import ask_tensorflow, main

from deploy.golden import Golden, load_golden
from train.errors import UserError

pytest.importorskip("ai_edge_litert", reason="needs the extra android")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries that litert-torch imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
INSTALLED = importlib.util.find_spec("tensorflow") is not None


def make_golden(images: np.ndarray) -> Golden:
    count = len(images)
    z = np.random.default_rng(0).standard_normal((count, 8)).astype(np.float32)
    return Golden(np.arange(count, dtype=np.uint64), z, np.arange(count) % 3, 3, {"float": images})


@pytest.mark.skipif(not INSTALLED, reason="tensorflow is not installed: pip install -e '.[tensorflow]'")
def test_tensorflow_draws_the_students_images(android_exports, tmp_path):
    path = android_exports("student_fp32.tflite")
    opinion = ask_tensorflow(path, android_exports.folder / "golden.npz", "float")
    assert opinion["psnr"] is None or opinion["psnr"] >= 100
    assert opinion["images"] == 6 and opinion["tensorflow"].count(".") == 2
    golden = load_golden(android_exports.folder / "golden.npz")
    golden.images["float"] = golden.images["float"][::-1]
    golden.save(tmp_path / "golden.npz")
    assert ask_tensorflow(path, tmp_path / "golden.npz", "float")["psnr"] < 40


@pytest.mark.skipif(not INSTALLED, reason="tensorflow is not installed: pip install -e '.[tensorflow]'")
def test_what_is_missing_is_told(tmp_path):
    make_golden(np.zeros((1, 3, 32, 32), np.float32)).save(tmp_path / "golden.npz")
    with pytest.raises(UserError, match="no TFLite file at"):
        ask_tensorflow(tmp_path / "a.tflite", tmp_path / "golden.npz", "float")
    with pytest.raises(UserError, match="has no images of the int8 student"):
        ask_tensorflow(tmp_path / "a.tflite", tmp_path / "golden.npz", "int8")


def test_without_tensorflow_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"no tensorflow.*pip install --editable \S*\[tensorflow\]"):
        main([str(tmp_path / "a.tflite"), str(tmp_path / "golden.npz"), "float"])


def test_the_answer_is_the_last_line_and_an_error_is_one_line(monkeypatch, tmp_path):
    commands = []

    def run(command, **_):
        commands.append(command)
        failed = len(commands) > 1
        answer = "noise\n" + json.dumps({"psnr": 120.5})
        return subprocess.CompletedProcess(command, int(failed) * 2, answer, "noise\nerror: it is damaged\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert math.isclose(ask_tensorflow(tmp_path / "a", tmp_path / "b", "int8")["psnr"], 120.5)
    assert commands[0][0] == sys.executable and commands[0][-1] == "int8"
    with pytest.raises(UserError, match=r"^it is damaged$"):
        ask_tensorflow(tmp_path / "a", tmp_path / "b", "int8")
