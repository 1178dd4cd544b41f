"""Check a folder of artifacts on any machine: `python deploy/verify.py runs/digits/artifacts`.

Hashes, sizes, shapes and golden images must be those that the manifest states. What this machine cannot run is
said so; the exit status is 1 if anything differs.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import tyro

from deploy.bundle import MODELS_FILE, read_models
from deploy.golden import Golden, load_golden
from deploy.manifest import read_manifest
from deploy.package_files import content_hash, file_size, hidden_files, unlisted_files
from deploy.parity import measure
from deploy.runners import browser_check, describe_browser_check, runner_of
from train.cli import parse, run_script
from train.errors import UserError
from train.files import file_hash


@dataclasses.dataclass(frozen=True)
class VerifyConfig:
    """What to check."""

    folder: tyro.conf.Positional[Path] = Path("runs/digits/artifacts")
    """Folder with a manifest.json, or a bundle of several."""
    hashes_only: bool = False
    """Do not run the artifacts."""


def main(arguments: list[str]) -> None:
    """Check every artifact and print a line for each."""
    config = parse(VerifyConfig, arguments, "Check a folder of exported artifacts.")
    problems = []
    for name in read_models(config.folder) if (config.folder / MODELS_FILE).is_file() else ("",):
        if name:
            print(f"{config.folder / name}:", flush=True)
        problems += verify(config.folder / name, run=not config.hashes_only)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)


def verify(folder: Path, *, run: bool = True) -> list[str]:
    """Check a folder, printing a line for each artifact.

    Args:
        folder: with a manifest.json.
        run: run the artifacts and compare their golden images too.

    Returns:
        A sentence for each artifact that is not what the manifest states.

    Raises:
        UserError: the manifest or the golden images are missing or damaged.
    """
    manifest = read_manifest(folder)
    golden_file = folder / manifest["golden"]["file"]
    golden = load_golden(golden_file)
    problems = []
    if (found := file_hash(golden_file)) != manifest["golden"]["sha256"]:
        problems.append(_changed(golden_file.name, manifest["golden"]["sha256"], found))
    for student, file in manifest["golden"]["first"]["files"].items():
        if not (folder / file).is_file() or (folder / file).read_bytes() != golden.first_image(student):
            problems.append(f"{file} is not the first image of the {student} student; export it again")
    for artifact in manifest["artifacts"]:
        try:
            print(f"{artifact['file']:<36} {_verify_one(folder, artifact, golden, run)}", flush=True)
            if hidden := hidden_files(folder / artifact["file"]):
                print(f"{'':<36} hidden files, which do not count: {', '.join(hidden)}", flush=True)
        except UserError as error:
            problems.append(f"{artifact['file']}: {error}")
            print(f"{artifact['file']:<36} failed", flush=True)
    return problems


def _verify_one(folder: Path, artifact: dict[str, Any], golden: Golden, run: bool) -> str:
    path = folder / artifact["file"]
    if not path.exists():
        raise UserError("the file is missing; export it again")
    if strangers := [str(file.relative_to(path)) for file in unlisted_files(path)]:
        raise UserError(f"it has files that its Manifest.json does not list: {', '.join(strangers)}; delete them")
    if (size := file_size(path)) != artifact["bytes"]:
        raise UserError(f"it has {size:,} bytes, not {artifact['bytes']:,}; export it again")
    if (found := content_hash(path)) != artifact["sha256"]:
        raise UserError(_changed("the content", artifact["sha256"], found))
    shapes = [tuple(spec["shape"]) for spec in artifact["inputs"]]
    if shapes != [value.shape for value in golden.inputs(0)]:
        raise UserError(f"its inputs {shapes} are not those of the golden latents")
    runner, load = runner_of(artifact["runtime"], artifact["backend"])
    if not run:
        return "unchanged"
    if load is None:
        return f"unchanged; not run: {runner}"
    stated = artifact["parity"]
    as_bytes = artifact["outputs"][0]["dtype"] == "uint8"
    parity = measure(load(path), golden, stated["reference"], runner, stated["floor"], as_bytes=as_bytes)
    browser = browser_check(path, artifact["runtime"], golden, stated["reference"], stated["floor"])
    quality = "identical" if parity.psnr is None else f"{parity.psnr:.1f} dB"
    return f"unchanged; {quality} ({runner}){describe_browser_check(browser)}"


def _changed(what: str, expected: str, found: str) -> str:
    return f"{what} has the SHA-256 {found[:16]}…, not {expected[:16]}… of the manifest; export it again"


if __name__ == "__main__":
    run_script(main)
