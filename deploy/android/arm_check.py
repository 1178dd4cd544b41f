"""Run an XNNPACK .pte file on emulated ARM cores and compare its image with this machine's, byte for byte.

    python -m deploy.android.arm_check FILE.pte --sdk executorch-…aarch64.whl

Optional: it needs a cross-compiler and QEMU's user mode, and the aarch64 wheel of executorch, which has the C++
runtime as shared libraries without torch. Core types are those of `CORES`.

Cores with SME (Apple M4, Armv9.2 phones of 2025) are NOT covered. With SME, XNNPACK picks other kernels, and under
QEMU 7.2's `-cpu max` these made garbage (9 to 11 dB) that was right again with SME off: whether the emulator or
the kernels are wrong cannot be told without such a device. Run the golden images on one.
"""

import dataclasses
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import tyro

from deploy.executorch_program import load_program, read_contents
from train.cli import parse, run_script
from train.errors import UserError, at_least, check_ranges

CORES = ("cortex-a53", "cortex-a76", "neoverse-n1")
"""Armv8.0 without dot products, Armv8.2 of phones, and Armv8.2 of servers."""
NOT_COVERED = (
    "Not covered: cores with SME (Apple M4, Armv9.2 phones). XNNPACK has other kernels for them, and QEMU's SME "
    "is not to be trusted; compare the golden images on such a device."
)
_COMPILER = "aarch64-linux-gnu-g++"
_EMULATOR = "qemu-aarch64-static"
_PACKAGES = {_COMPILER: "g++-aarch64-linux-gnu", _EMULATOR: "qemu-user-static"}
_SYSTEM = "/usr/aarch64-linux-gnu"  # the C library that the cross-compiler brings
_RUNNER = r"""
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

// runner PROGRAM OUTPUT INPUT:LENGTH...: floats of shape [1, LENGTH] in, the bytes of the first output out.
int main(int count, char** words) {
  using namespace executorch::extension;
  Module program(words[1]);
  std::vector<std::vector<char>> data;
  std::vector<TensorPtr> tensors;
  std::vector<executorch::runtime::EValue> inputs;
  for (int i = 3; i < count; ++i) {
    const std::string word(words[i]);
    const auto colon = word.rfind(':');
    const int length = std::stoi(word.substr(colon + 1));
    std::ifstream file(word.substr(0, colon), std::ios::binary);
    data.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (data.back().size() != length * sizeof(float)) {
      std::fprintf(stderr, "%s has %zu bytes\n", words[i], data.back().size());
      return 2;
    }
    tensors.push_back(make_tensor_ptr({1, length}, data.back().data(), executorch::aten::ScalarType::Float));
    inputs.emplace_back(*tensors.back());
  }
  const auto result = program.forward(inputs);
  if (!result.ok()) {
    std::fprintf(stderr, "ExecuTorch error %d\n", static_cast<int>(result.error()));
    return 1;
  }
  const auto image = result->at(0).toTensor();
  std::ofstream(words[2], std::ios::binary)
      .write(static_cast<const char*>(image.const_data_ptr()), image.nbytes());
  return 0;
}
"""
# What the runtime itself was built with: without them its classes have another layout.
_DEFINES = ("-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_EVENT_TRACER_ENABLED")
_LIBRARIES = ("-lexecutorch", "-lexecutorch_backend_xnnpack", "-lexecutorch_threadpool")


def compare(program: Path, sdk: Path, images: int = 2) -> None:
    """Draw `images` latents here and on every core of `CORES`.

    Args:
        program: a .pte file with XNNPACK int8.
        sdk: the aarch64 wheel of executorch.
        images: latents to draw.

    Raises:
        UserError: a tool is missing, the runner does not build or fails, or a byte differs.
    """
    missing = [tool for tool in _PACKAGES if shutil.which(tool) is None]
    if missing:
        packages = " ".join(_PACKAGES[tool] for tool in missing)
        raise UserError(f"{' and '.join(missing)} missing; apt-get install {packages}")
    lengths = _input_lengths(program)
    random = np.random.default_rng(0)
    here = load_program(program)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runner = _build(_unpack(sdk, folder), folder)
        for index in range(images):
            inputs = [np.clip(random.standard_normal((1, n)), -2, 2).astype(np.float32) for n in lengths]
            # The second input, where there is one, is class weights.
            inputs[1:] = [np.eye(n, dtype=np.float32)[[index % n]] for n in lengths[1:]]
            expected = here(*inputs)
            for core in CORES:
                actual = _emulate(core, runner, program, inputs)
                if len(actual) != expected.nbytes:
                    raise UserError(f"{core} made {len(actual)} bytes, not {expected.nbytes}, of {program}")
                differing = int((np.frombuffer(actual, np.uint8) != expected.view(np.uint8).ravel()).sum())
                if differing:
                    raise UserError(f"{core} draws latent {index} of {program} with {differing} other bytes")


def _input_lengths(program: Path) -> list[int]:
    """Return the lengths of the inputs, each [1, length]."""
    shapes = read_contents(program).input_shapes
    for shape in shapes:
        if len(shape) != 2 or shape[0] != 1:
            raise UserError(f"{program} takes an input of shape {list(shape)}, not [1, length]")
    return [shape[1] for shape in shapes]


def _unpack(sdk: Path, folder: Path) -> Path:
    """Return the folder with the wheel's headers and libraries."""
    if not sdk.is_file() or "aarch64" not in sdk.name:
        raise UserError(
            f"{sdk} is no aarch64 wheel; pip download executorch --no-deps --only-binary=:all: --platform "
            "manylinux_2_28_aarch64"
        )
    with zipfile.ZipFile(sdk) as wheel:
        wanted = [n for n in wheel.namelist() if n.startswith(("executorch/include/", "executorch/lib/"))]
        wheel.extractall(folder, wanted)
    return folder / "executorch"


def _build(runtime: Path, folder: Path) -> Path:
    source, runner = folder / "runner.cpp", folder / "runner"
    source.write_text(_RUNNER, encoding="utf-8")
    include = runtime / "include"
    _run(
        *(_COMPILER, "-std=c++17", "-O1", "-w", *_DEFINES, "-isystem", include),
        *("-isystem", include / "executorch/runtime/core/portable_type/c10", source, "-o", runner),
        *("-L", runtime / "lib", "-Wl,--no-as-needed", *_LIBRARIES),  # a backend registers itself when loaded
    )
    return runner


def _emulate(core: str, runner: Path, program: Path, inputs: list[np.ndarray]) -> bytes:
    """Return the image's bytes."""
    folder = runner.parent
    words, output = [], folder / "image.bin"
    output.unlink(missing_ok=True)
    for index, values in enumerate(inputs):
        path = folder / f"input{index}.bin"
        values.tofile(path)
        words.append(f"{path}:{values.size}")
    library_path = f"LD_LIBRARY_PATH={folder / 'executorch' / 'lib'}"
    _run(_EMULATOR, "-cpu", core, "-L", _SYSTEM, "-E", library_path, runner, program, output, *words)
    return output.read_bytes()


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UserError(
            f"{Path(command[0]).name} failed ({done.returncode}): {said[-1] if said else 'no message'}"
        )


@dataclasses.dataclass(frozen=True)
class ArmCheckConfig:
    """What is compared."""

    program: tyro.conf.Positional[Path]
    """XNNPACK int8 .pte file."""
    sdk: Path
    """The aarch64 wheel of executorch, of the version that runs here."""
    images: int = 2
    """Latents to draw on every core."""

    def __post_init__(self) -> None:
        check_ranges(self, at_least(1, "images"))


def main(arguments: list[str]) -> None:
    """Parse, compare, and say what was covered."""
    config = parse(ArmCheckConfig, arguments, __doc__ or "")
    compare(config.program, config.sdk, config.images)
    print(f"{config.program}: {config.images} images, the same bytes on {', '.join(CORES)} (QEMU) as here")
    print(NOT_COVERED)


if __name__ == "__main__":
    run_script(main)
