"""ExecuTorch programs as artifacts, and those of XNNPACK, which Android and iOS share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.executorch_program import Lowered
from deploy.floors import FP32_FLOOR, INT8_FLOOR
from deploy.manifest import TensorSpec
from deploy.pipeline import Artifact
from deploy.source import ExportSource, Reference
from deploy.xnnpack import lower_xnnpack
from deploy.xnnpack_file import check_weights


def image_values(source: ExportSource) -> TensorSpec:
    """Return the output of programs that give values: float32 [1, 3, H, W] in [-1, 1]."""
    size = source.info.generator.image_size
    return TensorSpec("image", (1, 3, size, size), "float32", (-1.0, 1.0))


def program(
    source: ExportSource,
    *,
    backend: str,
    precision: str,
    reference: Reference,
    floor: float,
    platforms: tuple[str, ...],
    write: Callable[[Path], Lowered],
    check: Callable[[Path], None] | None = None,
    options: dict[str, str] | None = None,
    remedy: str = "",
) -> Artifact:
    """Return an ExecuTorch artifact.

    Args:
        source: what it is made from.
        backend: xnnpack, vulkan or coreml.
        precision: fp32, fp16 or int8.
        reference: the student that it computes.
        floor: smallest PSNR to it, dB.
        platforms: that it runs on.
        write: makes the program and writes it.
        check: looks at the written file; raises a UserError where it is wrong.
        options: what the user said of it.
        remedy: what to do where its images are below the floor.
    """

    def build(path: Path) -> dict[str, Any]:
        lowered = write(path)
        if check is not None:
            check(path)
        return {"delegates": list(lowered.delegates)}

    return Artifact(
        f"student_{backend}_{precision}.pte",
        platforms,
        "executorch",
        backend,
        precision,
        reference,
        floor,
        image_values(source),
        build,
        ("executorch",),
        options or {},
        remedy,
    )


def written(lower: Callable[[], Lowered]) -> Callable[[Path], Lowered]:
    """Return what makes a program and writes it."""

    def write(path: Path) -> Lowered:
        lowered = lower()
        path.write_bytes(lowered.buffer)
        return lowered

    return write


def xnnpack_artifacts(source: ExportSource) -> list[Artifact]:
    """Return the fp32 program and, where there is an int8 student, the int8 one."""
    inputs = source.example_inputs()
    fp32 = program(
        source,
        backend="xnnpack",
        precision="fp32",
        reference="float",
        floor=FP32_FLOOR,
        platforms=("android", "ios"),
        write=written(lambda: lower_xnnpack(source.form, inputs)),
    )
    student = source.quantized.get("int8")
    if student is None:
        return [fp32]
    int8 = program(
        source,
        backend="xnnpack",
        precision="int8",
        reference="int8",
        floor=INT8_FLOOR,
        platforms=("android", "ios"),
        write=written(lambda: lower_xnnpack(student.export_form(), inputs)),
        check=lambda path: check_weights(path, student),
    )
    return [fp32, int8]
