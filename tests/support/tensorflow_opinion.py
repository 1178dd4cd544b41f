"""A second opinion on a .tflite file: TensorFlow's own interpreter with its reference kernels.

Always in a process of its own, since TensorFlow and coremltools crash each other:
`python tests/support/tensorflow_opinion.py FILE.tflite golden.npz int8` prints the parity as JSON.
"""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from deploy.android.tflite_file import OUTPUT
from deploy.golden import load_golden
from deploy.parity import Runner, measure
from deploy.quiet import quiet
from deploy.source import Reference
from train.cli import parse, run_script
from train.commands import process_environment, to_install
from train.errors import UserError


@dataclasses.dataclass(frozen=True)
class OpinionConfig:
    """What to run."""

    file: tyro.conf.Positional[Path]
    """A .tflite file."""
    golden: tyro.conf.Positional[Path]
    """The golden.npz beside it."""
    reference: tyro.conf.Positional[Reference]
    """The student whose images are asked for: float, int8 or int4."""


def ask_tensorflow(file: Path, golden: Path, reference: Reference) -> dict[str, Any]:
    """Run a file by TensorFlow in a new process.

    Args:
        file: a .tflite file.
        golden: golden.npz.
        reference: the student that it is compared with.

    Returns:
        The fields of `Parity` and "tensorflow", its version; "psnr" is None if the images are identical.

    Raises:
        UserError: TensorFlow is not installed, or it refuses the file.
    """
    command = [sys.executable, __file__, str(file), str(golden), reference]
    environment = process_environment(PYTHONIOENCODING="utf-8")
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
        raise UserError(lines[-1].removeprefix("error: "))
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: list[str]) -> None:
    """Compare one file with its golden images and print the result as one line of JSON."""
    config = parse(OpinionConfig, arguments, "Run a .tflite file by TensorFlow's reference kernels.")
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(f"no tensorflow, which is the second opinion; {to_install('tensorflow')}")
    golden = load_golden(config.golden)
    if config.reference not in golden.images:
        raise UserError(f"{config.golden} has no images of the {config.reference} student")
    run, version = _load(config.file)
    parity = measure(run, golden, config.reference, "TensorFlow reference kernels", 0.0)
    print(json.dumps(dataclasses.asdict(parity) | {"tensorflow": version}))


def _load(path: Path) -> tuple[Runner, str]:
    if not path.is_file():
        raise UserError(f"no TFLite file at {path}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quiet():  # it announces its successor, which this is the second opinion on
            import tensorflow  # type: ignore[import-not-found]

            kernels = tensorflow.lite.experimental.OpResolverType.BUILTIN_REF
            interpreter = tensorflow.lite.Interpreter(str(path), experimental_op_resolver_type=kernels)
            interpreter.allocate_tensors()
            runner = interpreter.get_signature_runner()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"TensorFlow refuses {path}: {str(error).splitlines()[0]}") from None

    def run(z: np.ndarray, *class_weights: np.ndarray) -> np.ndarray:
        named = {"z": z, **dict(zip(("class_weights",), class_weights, strict=False))}
        return np.ascontiguousarray(runner(**named)[OUTPUT].transpose(0, 3, 1, 2))

    return run, tensorflow.__version__


if __name__ == "__main__":
    run_script(main)
