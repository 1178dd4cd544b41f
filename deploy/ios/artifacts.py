"""What is made for iOS."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compress.fake_quant import QuantGenerator
from deploy.floors import EXACT, FP16_FLOOR, INT8_FP16_FLOOR, PALETTE_FLOOR
from deploy.golden import Golden, make_golden
from deploy.ios.coreml import Compute, convert_float, convert_quantized
from deploy.ios.coreml_delegate import export_delegate, extract_package
from deploy.ios.coreml_weights import convert_palettized, first_difference
from deploy.ios.package_info import PackageInfo
from deploy.ios.package_runner import RUNNER, load_package
from deploy.manifest import TensorSpec, own_version
from deploy.parity import ParityError, measure
from deploy.pipeline import Artifact
from deploy.selection import ExportConfig
from deploy.source import ExportSource, Reference
from deploy.xnnpack_artifacts import program, xnnpack_artifacts
from train.noise import law_of

STUDENTS: tuple[Reference, ...] = ("float", "int8", "int4")
"""That artifacts are made of."""


@dataclasses.dataclass(frozen=True)
class IosExportConfig(ExportConfig):
    """Which run to export for iOS, and what Xcode shows of the packages."""

    author: str = "tinygan-edge"
    """Author of the packages."""
    license: str = "Code: Apache-2.0. Weights: as the licence of their training data allows."
    """Licence of the packages."""
    model_version: str = own_version()
    """Version of the packages."""
    between_grids: Compute = "fp16"
    """What Core ML's int8 and int4 files compute in between two grids. In fp32 the images are the student's, but
    the Neural Engine takes no part: for a student that fp16 changes too much."""


def ios_artifacts(source: ExportSource, config: ExportConfig) -> list[Artifact]:
    """Return the packages and programs that a source allows."""
    assert isinstance(config, IosExportConfig)
    form, info = source.form, _package_info(source, config)
    golden = functools.cache(lambda: make_golden(source))
    artifacts = [
        _package(
            source,
            info,
            lambda path: convert_float(form, path, info),
            precision="fp16",
            reference="float",
            floor=FP16_FLOOR,
        ),
        _package(
            source,
            info,
            lambda path: convert_palettized(form, path, info),
            precision="palette6",
            reference="float",
            floor=PALETTE_FLOOR,
        ),
        *(
            _package(
                source,
                info,
                _quantized(student, name, info, golden, config.between_grids),
                precision=name,
                reference=name,
                floor=INT8_FP16_FLOOR,
                between_grids=config.between_grids,
            )
            for name, student in source.quantized.items()
        ),
        program(
            source,
            backend="coreml",
            precision="fp16",
            reference="float",
            floor=FP16_FLOOR,
            platforms=("ios",),
            write=lambda path: export_delegate(form, path),
        ),
    ]
    if (int8 := source.quantized.get("int8")) is not None:
        artifacts.append(
            program(
                source,
                backend="coreml",
                precision="int8",
                reference="int8",
                floor=INT8_FP16_FLOOR,
                platforms=("ios",),
                write=lambda path: export_delegate(int8, path, compute=config.between_grids),
                check=lambda path: _check_delegate(path, int8),
                options={"between_grids": config.between_grids},
                remedy=_remedy(config.between_grids),
            )
        )
    return [*artifacts, *xnnpack_artifacts(source)]


def _package(
    source: ExportSource,
    info: PackageInfo,
    convert: Callable[[Path], object],
    *,
    precision: str,
    reference: Reference,
    floor: float,
    between_grids: Compute | None = None,
) -> Artifact:
    def build(path: Path) -> dict[str, Any]:
        checks = convert(path)
        return checks if isinstance(checks, dict) else {}

    size = source.info.generator.image_size
    options = {"author": info.author, "license": info.license, "version": info.version}
    if between_grids is not None:
        options["between_grids"] = between_grids
    return Artifact(
        f"student_{precision}.mlpackage",
        ("ios",),
        "coreml",
        "mlprogram",
        precision,
        reference,
        floor,
        TensorSpec("image", (size, size, 3), "uint8", (0, 255)),
        build,
        ("coremltools",),
        options,
        _remedy(between_grids),
    )


def _remedy(between_grids: Compute | None) -> str:
    return "export it with --between-grids fp32" if between_grids == "fp16" else ""


def _quantized(
    student: QuantGenerator, name: Reference, info: PackageInfo, golden: Callable[[], Golden], compute: Compute
) -> Callable[[Path], dict[str, object]]:
    """Return what writes a quantized package and proves that it holds its student."""

    def convert(path: Path) -> dict[str, object]:
        convert_quantized(student, path, info, compute=compute)
        _check_weights(path, student)
        with tempfile.TemporaryDirectory() as folder:
            twin = Path(folder) / "twin.mlpackage"
            convert_quantized(student, twin, info, compute="fp32", output="values")
            # A Mac's Core ML may break ties differently; the evaluator's arithmetic is the student's.
            parity = measure(load_package(twin), golden(), name, RUNNER, EXACT if RUNNER != "Core ML" else 40.0)
        return {"fp32_twin_max_difference": parity.max_difference}

    return convert


def _check_delegate(path: Path, student: QuantGenerator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _check_weights(extract_package(path, Path(folder)), student)


def _check_weights(path: Path, student: QuantGenerator) -> None:
    if difference := first_difference(path, student):
        raise ParityError(f"its weights or grids are not the student's: {difference}")


def _package_info(source: ExportSource, config: IosExportConfig) -> PackageInfo:
    info, generator = source.info, source.info.generator
    classes = info.classes
    if source.class_index is not None:
        classes = {source.class_index: classes[source.class_index]}
    size = generator.image_size
    kinds = f"of the class {next(iter(classes.values()))}" if len(classes) == 1 else f"of {len(classes)} classes"
    return PackageInfo(
        f"TinyGAN {size}",
        f"Draws {size} × {size} pictures {kinds} from a latent. Made from: {info.source}.",
        config.author,
        config.license,
        config.model_version,
        classes,
        info.truncation,
        law_of(info.sampler),
    )
