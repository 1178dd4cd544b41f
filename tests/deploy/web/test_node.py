"""The page's modules and LiteRT.js under Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from deploy import verify
from deploy.android.tflite_file import load_tflite
from deploy.golden import load_golden
from deploy.manifest import read_manifest
from deploy.parity import ParityError
from deploy.runners import browser_check, describe_browser_check
from deploy.web import litert_js
from tests.fixtures.__main__ import FOLDERS
from train.errors import UserError

HERE = Path(__file__).parent
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed; apt-get install nodejs npm")


def node_test(file: str, **environment: str) -> str:
    command = ["node", "--test", str(HERE / file)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_pages_arithmetic_is_that_of_python_and_the_apps():
    said = node_test("core.test.js", FIXTURES=str(FOLDERS[0]))
    assert "# fail 0" in said and "# skipped 0" in said
    assert int(said.split("# pass ")[1].split()[0]) > 60


def test_memory_stays_level(litert, int8_file):
    inputs = [["z", 8], ["class_weights", 3]]
    said = node_test("memory.test.js", MODEL=str(int8_file), LITERT=str(litert), INPUTS=json.dumps(inputs))
    assert "# pass 1" in said


@pytest.mark.parametrize("file", ["student_int8.tflite", "student_fp32.tflite", "student_fp16.tflite"])
def test_every_file_draws_as_its_runtime_here(android_exports, litert, file):
    path = android_exports(file)
    golden = load_golden(path.parent / "golden.npz")
    drawn = litert_js.draw_golden(path, golden)
    run = load_tflite(path)
    expected = np.concatenate([run(*golden.inputs(k)) for k in range(len(golden.z))])
    assert drawn.images.shape == expected.shape and expected.std() > 0.01
    tolerance = 2 * 2 / 255 if "int8" in file else 1e-3  # of int8, relaxed SIMD may round to the next level
    assert np.abs(drawn.images - expected).max() <= tolerance
    assert drawn.fully_delegated is ("fp16" not in file)
    assert drawn.runner.startswith(f"LiteRT.js {litert_js.VERSION} under Node ")


@pytest.mark.slow
def test_one_class_files_take_z_alone(one_class_exports, litert):
    path = one_class_exports("student_int8.tflite")
    golden = load_golden(path.parent / "golden.npz")
    assert litert_js.draw_golden(path, golden).images.shape == golden.images["int8"].shape


def test_the_gate_writes_down_what_it_found(int8_file, litert):
    (entry,) = (e for e in read_manifest(int8_file.parent)["artifacts"] if e["file"] == int8_file.name)
    found = entry["checks"]["litert_js"]
    assert found["fully_delegated"] is True
    assert found["psnr"] > 33
    assert found["runner"].startswith("LiteRT.js ")


def test_verify_runs_it_too(int8_file, litert, capsys):
    assert verify.verify(int8_file.parent) == []
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(int8_file.name))
    assert f"dB by LiteRT.js {litert_js.VERSION} under Node" in line


def test_images_of_another_student_do_not_pass(int8_file, litert):
    golden = load_golden(int8_file.parent / "golden.npz")
    golden.images["int8"] = -golden.images["int8"]
    with pytest.raises(ParityError, match=r"below the floor of 33 dB \(LiteRT\.js"):
        browser_check(int8_file, "tflite", golden, "int8", 33.0)


def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path, int8_file, litert):
    broken = tmp_path / "student.tflite"
    golden = load_golden(int8_file.parent / "golden.npz")
    broken.write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(UserError, match=r"LiteRT\.js refuses it: it is no TFLite file"):
        litert_js.draw_golden(broken, golden)
    content = int8_file.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"LiteRT\.js refuses it: LiteRT\.js cannot compile it"):
        litert_js.draw_golden(broken, golden)
    with pytest.raises(
        UserError, match=r"it takes class_weights float32 \[1, 3\] and z float32 \[1, 8\] .* not z"
    ):
        litert_js.draw_golden(int8_file, load_golden_of_one_class(golden))


def load_golden_of_one_class(golden):
    return type(golden)(golden.seeds, golden.z, golden.y, golden.num_classes, golden.images, one_class=True)


def test_without_node_it_says_so(int8_file, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    litert_js.why_unavailable.cache_clear()
    try:
        golden = load_golden(int8_file.parent / "golden.npz")
        checks = browser_check(int8_file, "tflite", golden, "int8", 33.0)
        assert describe_browser_check(checks) == "; not run by LiteRT.js: Node is not installed"
    finally:
        litert_js.why_unavailable.cache_clear()
    assert browser_check(int8_file, "executorch", golden, "int8", 33.0) == {}


def test_without_a_place_for_it_nothing_else_fails(int8_file, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    litert_js.why_unavailable.cache_clear()
    try:
        checks = browser_check(int8_file, "tflite", load_golden(int8_file.parent / "golden.npz"), "int8", 33.0)
        assert "cannot be written to (Not a directory); set XDG_CACHE_HOME" in describe_browser_check(checks)
    finally:
        litert_js.why_unavailable.cache_clear()


def test_without_a_network_the_fetch_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://localhost:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(litert_js.UnavailableError, match=r"npm cannot fetch LiteRT\.js .*is the network there"):
        litert_js.fetch()
    left = [path.name for path in (tmp_path / "tinygan-edge" / "web").iterdir()]
    assert left == []
