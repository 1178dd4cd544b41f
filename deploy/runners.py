"""What computes an artifact's images on this machine."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.golden import Golden
from deploy.parity import Runner, compare
from deploy.source import Reference
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


def browser_check(
    path: Path, runtime: str, golden: Golden, reference: Reference, floor: float
) -> dict[str, dict[str, Any]]:
    """Let the browsers' runtime, LiteRT.js under Node, draw the golden images too, where it can run the artifact.

    Returns:
        Nothing, or "litert_js" → its runner, PSNR (None: identical) and whether every operation is delegated; or
        {"not_run": why}.

    Raises:
        UserError: it refuses the file, or the images are not the student's.
    """
    if runtime != "tflite":
        return {}
    from deploy.web import litert_js

    try:
        drawn = litert_js.draw_golden(path, golden)
    except litert_js.UnavailableError as reason:
        return {"litert_js": {"not_run": str(reason)}}
    parity = compare(drawn.images, golden, reference, drawn.runner, floor)
    return {
        "litert_js": {
            "runner": drawn.runner,
            "psnr": parity.psnr,
            "max_difference": parity.max_difference,
            "fully_delegated": drawn.fully_delegated,
        }
    }


def describe_browser_check(checks: dict[str, Any]) -> str:
    """Return what the `browser_check` in an artifact's checks found, to be added to a line; "" without one."""
    found = checks.get("litert_js")
    if found is None:
        return ""
    if "not_run" in found:
        return f"; not run by LiteRT.js: {found['not_run']}"
    quality = "identical" if found["psnr"] is None else f"{found['psnr']:.1f} dB"
    outside = "" if found["fully_delegated"] else ", not every operation delegated: slow in a browser"
    return f"; {quality} by {found['runner']}{outside}"


def _load_delegate(path: Path) -> Runner:
    from deploy.ios.coreml_delegate import extract_package
    from deploy.ios.package_runner import load_package

    with tempfile.TemporaryDirectory() as folder:
        return load_package(extract_package(path, Path(folder)))
