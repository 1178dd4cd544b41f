"""Write artifacts one after another: build, run, compare, and only then give the file its name."""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy.golden import Golden, make_golden
from deploy.manifest import Entry, Manifest, TensorSpec, input_specs, open_manifest, versions
from deploy.package_files import content_hash, file_size
from deploy.parity import Parity, ParityError, measure
from deploy.runners import browser_check, describe_browser_check, runner_of
from deploy.source import ExportSource, Reference
from train.errors import UserError
from train.files import check_writable, remove, temporary_beside
from train.locks import locked


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A file to be written."""

    file: str
    platforms: tuple[str, ...]
    runtime: str
    backend: str
    precision: str
    reference: Reference
    """The student that it computes."""
    floor: float
    """Smallest PSNR to that student's golden images, dB."""
    output: TensorSpec
    build: Callable[[Path], dict[str, Any]]
    """Writes the file and checks what can be seen without running it; returns what it found for the manifest, or
    raises a UserError."""
    packages: tuple[str, ...]
    """Those whose versions matter."""
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    """What the user said of it."""
    remedy: str = ""
    """What to do where its images are below the floor."""


def export(artifacts: Sequence[Artifact], source: ExportSource, folder: Path, *, again: bool = False) -> list[str]:
    """Write `artifacts`, golden images and the manifest into `folder`; print a line for each.

    Args:
        artifacts: to be written.
        source: what they are made from.
        folder: where they go; what an earlier call made there of other weights is deleted.
        again: write those too that an earlier call made of the same weights, options and tools.

    Returns:
        A sentence for each artifact that failed; nothing is left of it.
    """
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    golden = make_golden(source)
    manifest = open_manifest(folder, source, golden)
    failures = []
    for artifact in artifacts:
        tools = versions(*artifact.packages)
        try:
            # Another export into this folder may be making the same file.
            with locked(folder, f"exports {folder / artifact.file}", name=f".{artifact.file}.lock"):
                if not again and manifest.keeps(artifact.file, artifact.options, tools):
                    print(f"{artifact.file:<36} is there; --again makes it anew", flush=True)
                else:
                    _export_one(artifact, source, golden, manifest, tools)
        except (UserError, OSError) as error:
            why = " ".join(str(error).split())
            failures.append(f"{artifact.file}: {why}")
            print(f"{artifact.file:<36} failed: {why}", flush=True)
    return failures


def _export_one(
    artifact: Artifact, source: ExportSource, golden: Golden, manifest: Manifest, tools: dict[str, str]
) -> None:
    started = time.monotonic()
    print(f"{artifact.file:<36} is being made: seconds, or a minute for a large student", flush=True)
    target = manifest.folder / artifact.file
    # An old file must not survive under a name that the manifest no longer vouches for.
    manifest.drop(artifact.file)
    remove(target)
    temporary = temporary_beside(target, target.suffix)
    try:
        checks = artifact.build(temporary)
        runner, load = runner_of(artifact.runtime, artifact.backend)
        parity: Parity | dict[str, str] = {"not_run": runner}
        if load is not None:
            as_bytes = artifact.output.dtype == "uint8"
            try:
                parity = measure(
                    load(temporary), golden, artifact.reference, runner, artifact.floor, as_bytes=as_bytes
                )
            except ParityError as error:
                raise ParityError("; ".join(filter(None, (str(error), artifact.remedy)))) from None
        browser = browser_check(temporary, artifact.runtime, golden, artifact.reference, artifact.floor)
        entry = entry_of(
            artifact,
            source,
            checks=checks | browser,
            parity=parity,
            size=file_size(temporary),
            sha256=content_hash(temporary),
            tools=tools,
        )
        os.replace(temporary, target)
        manifest.put(entry)
    finally:
        remove(temporary)
    print(_line(entry, time.monotonic() - started), flush=True)


def entry_of(
    artifact: Artifact,
    source: ExportSource,
    *,
    checks: dict[str, Any],
    parity: Parity | dict[str, str],
    size: int,
    sha256: str,
    tools: dict[str, str],
) -> Entry:
    """Return what the manifest says of an artifact.

    Args:
        artifact: as it was planned.
        source: what it is made from.
        checks: what was seen when it was made.
        parity: how near its images came, or why nobody knows.
        size: bytes of the file.
        sha256: of its content.
        tools: versions of the packages that made it.
    """
    return Entry(
        artifact.file,
        artifact.platforms,
        artifact.runtime,
        artifact.backend,
        artifact.precision,
        size,
        sha256,
        artifact.reference,
        source.files[artifact.reference],
        input_specs(source),
        (artifact.output,),
        {},  # programs with operations outside their delegate are refused
        parity,
        checks,
        artifact.options,
        tools,
    )


def _line(entry: Entry, seconds: float) -> str:
    """Return the progress line of a finished artifact."""
    if isinstance(entry.parity, Parity):
        psnr = "identical" if entry.parity.psnr is None else f"{entry.parity.psnr:.1f} dB"
        quality = f"{psnr} to the {entry.parity.reference} student"
    else:
        quality = f"not run: {entry.parity['not_run']}"
    quality += describe_browser_check(entry.checks)
    return f"{entry.file:<36} {entry.bytes / 1e6:6.2f} MB  {seconds:5.1f} s  {quality}"
