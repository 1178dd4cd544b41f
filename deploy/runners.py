"""What computes an artifact's images on this machine."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.parity import Runner
from train.errors import UserError

Loader = Callable[[Path], Runner]


def runner_of(runtime: str, backend: str) -> tuple[str, Loader | None]:
    """Return the name of the runtime and what loads an artifact into it; or why nothing here can run it, and None.

    Args:
        runtime: executorch, tflite or coreml.
        backend: of the runtime, as in the manifest.

    Raises:
        UserError: there is no such pair.
    """
    if runtime == "tflite":
        from deploy.android.tflite_file import load_tflite

        return "ai-edge-litert", load_tflite
    if (runtime, backend) == ("executorch", "xnnpack"):
        from deploy.executorch_program import load_program

        return "the ExecuTorch runtime", load_program
    if (runtime, backend) == ("executorch", "vulkan"):
        return "the ExecuTorch runtime that pip installs has no Vulkan backend", None
    if (runtime, backend) == ("executorch", "coreml"):
        return "the MIL evaluator, on the package inside", _load_delegate
    if runtime == "coreml":
        from deploy.ios.package_runner import load_package

        return "the MIL evaluator", load_package
    raise UserError(f"nothing is known of {runtime} with {backend}; was the manifest written by a newer version?")


def _load_delegate(path: Path) -> Runner:
    from deploy.ios.coreml_delegate import extract_package
    from deploy.ios.package_runner import load_package

    with tempfile.TemporaryDirectory() as folder:
        return load_package(extract_package(path, Path(folder)))
