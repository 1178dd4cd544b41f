"""What is made for Android."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.android.tflite import convert_float, convert_half, convert_int8
from deploy.android.vulkan import check_weights as check_vulkan_weights
from deploy.android.vulkan import lower_vulkan
from deploy.floors import FP16_FLOOR, FP32_FLOOR, INT8_FLOOR
from deploy.manifest import TensorSpec
from deploy.pipeline import Artifact
from deploy.selection import ExportConfig
from deploy.source import ExportSource, Reference
from deploy.xnnpack_artifacts import image_values, program, written, xnnpack_artifacts

STUDENTS: tuple[Reference, ...] = ("float", "int8")
"""That artifacts are made of."""


def android_artifacts(source: ExportSource, config: ExportConfig) -> list[Artifact]:
    """Return the programs and files that a source allows."""
    del config
    form, inputs = source.form, source.example_inputs()
    vulkan = program(
        source,
        backend="vulkan",
        precision="fp16",
        reference="float",
        floor=FP16_FLOOR,
        platforms=("android",),
        write=written(lambda: lower_vulkan(form, inputs)),
        check=lambda path: check_vulkan_weights(path, form),
    )
    artifacts = [*xnnpack_artifacts(source), vulkan]
    float_file = functools.cache(lambda: convert_float(form))
    artifacts.append(_tflite(source, "fp32", "float", FP32_FLOOR, float_file))
    artifacts.append(_tflite(source, "fp16", "float", FP16_FLOOR, lambda: convert_half(float_file())))
    student = source.quantized.get("int8")
    if student is not None:
        artifacts.append(_tflite(source, "int8", "int8", INT8_FLOOR, lambda: convert_int8(student)))
    return artifacts


def _tflite(
    source: ExportSource, precision: str, reference: Reference, floor: float, convert: Callable[[], bytes]
) -> Artifact:
    def build(path: Path) -> dict[str, Any]:
        path.write_bytes(convert())
        return {}

    values = image_values(source)
    size = source.info.generator.image_size
    return Artifact(
        f"student_{precision}.tflite",
        ("android",),
        "tflite",
        "litert",
        precision,
        reference,
        floor,
        TensorSpec(values.name, (1, size, size, 3), values.dtype, values.range),
        build,
        ("litert-torch", "ai-edge-litert"),
    )
