"""What computes an artifact's images on this machine."""

from collections.abc import Callable
from pathlib import Path

from deploy.parity import Runner

Loader = Callable[[Path], Runner]


def runner_of(runtime: str, backend: str) -> tuple[str, Loader | None]:
    """Return the name of the runtime and what loads an artifact into it; or why nothing here can run it, and None.

    Args:
        runtime: executorch, tflite or coreml.
        backend: of the runtime, as in the manifest.
    """
    if runtime == "tflite":
        from deploy.android.tflite_file import load_tflite

        return "ai-edge-litert", load_tflite
    if runtime == "executorch" and backend == "xnnpack":
        from deploy.executorch_program import load_program

        return "ExecuTorch runtime", load_program
    if runtime == "coreml":
        from deploy.ios.coreml_runner import load_package

        return "MIL evaluator of this project", load_package
    raise KeyError(f"no runner for {runtime} with {backend}")
