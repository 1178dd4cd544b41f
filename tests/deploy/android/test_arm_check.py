import shutil
import zipfile

import numpy as np
import pytest

from deploy.android import arm_check
from deploy.android.arm_check import CORES, ArmCheckConfig, compare, main
from train.errors import UserError


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Stands for the compiler, the emulator and the wheel; a core that is in the dict draws another image."""
    image = np.linspace(-1, 1, 12, dtype=np.float32).reshape(1, 3, 2, 2)
    wrong: dict[str, bytes] = {}
    commands = []

    def run(*command):
        commands.append([str(word) for word in command])
        if "qemu" in str(command[0]):
            core = command[command.index("-cpu") + 1]
            output = next(word for word in command if str(word).endswith("image.bin"))
            output.write_bytes(wrong.get(core, image.tobytes()))

    wheel = tmp_path / "executorch-1-aarch64.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("executorch/lib/libexecutorch.so", "")
        file.writestr("executorch/exir/program.py", "")
    monkeypatch.setattr(arm_check, "_run", run)
    monkeypatch.setattr(arm_check, "_input_lengths", lambda program: [8, 3])
    monkeypatch.setattr(arm_check, "load_program", lambda program: lambda z, weights: image)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    return wheel, wrong, commands


def test_every_core_draws_every_latent(tools, tmp_path, capsys):
    wheel, _, commands = tools
    main([str(tmp_path / "a.pte"), "--sdk", str(wheel), "--images", "3"])
    compiled, *emulated = commands
    assert compiled[0] == "aarch64-linux-gnu-g++"
    assert [command[2] for command in emulated] == [*CORES] * 3
    assert [word.rpartition(":")[2] for word in emulated[0][-2:]] == ["8", "3"]
    said = capsys.readouterr().out
    assert "3 images, the same bytes on cortex-a53, cortex-a76, neoverse-n1" in said
    assert "Not covered: cores with SME" in said


def test_one_other_byte_is_an_error(tools, tmp_path):
    wheel, wrong, _ = tools
    image = bytearray(np.linspace(-1, 1, 12, dtype=np.float32).tobytes())
    image[7] ^= 1
    wrong["cortex-a76"] = bytes(image)
    with pytest.raises(UserError, match=r"cortex-a76 draws latent 0 of .*a\.pte with 1 other bytes"):
        compare(tmp_path / "a.pte", wheel)
    wrong["cortex-a76"] = bytes(image[:-4])
    with pytest.raises(UserError, match="made 44 bytes, not 48"):
        compare(tmp_path / "a.pte", wheel)


def test_what_is_missing_is_named(tools, tmp_path, monkeypatch):
    wheel, _, _ = tools
    with pytest.raises(UserError, match=r"x86\.whl is no aarch64 wheel; pip download executorch"):
        compare(tmp_path / "a.pte", tmp_path / "x86.whl")
    monkeypatch.setattr(shutil, "which", lambda tool: None if "qemu" in tool else tool)
    with pytest.raises(UserError, match="qemu-aarch64-static missing; apt-get install qemu-user-static"):
        compare(tmp_path / "a.pte", wheel)
    with pytest.raises(UserError, match="--images must be at least 1, not 0"):
        ArmCheckConfig(tmp_path / "a.pte", wheel, images=0)


def test_a_failed_command_says_its_last_line():
    with pytest.raises(UserError, match=r"python3 failed \(1\): no such thing"):
        arm_check._run("python3", "-c", "raise SystemExit('no such thing')")
