"""The model that the app is tested and packed with."""

import shutil
import sys
from pathlib import Path
from typing import Any

from deploy.manifest import MANIFEST_FILE, read_manifest
from tests.android.catalog import PROJECT, ROOT
from tests.android.tools import ToolError, begin, digest, finish, is_made, run_tool
from train.errors import UserError

RUN_ARTIFACTS = Path("runs/digits/artifacts")
ASSET_FOLDER = "tinygan"
BACKENDS = {("executorch", "xnnpack"): "pte", ("tflite", "litert"): "tflite"}
"""(runtime, backend) that the app computes with → extension of its files."""
DIGITS, ANIMALS = (ROOT / "train/assets" / f"{name}_student" for name in ("digits", "animals"))
"""The embedded students."""
_NEEDED = ("student_xnnpack_fp32.pte", "student_xnnpack_int8.pte", "student_fp32.tflite", "student_int8.tflite")


def find_artifacts(chosen: Path | None, student: Path, cache: Path) -> Path:
    """Return the folder of the exported model.

    Args:
        chosen: by the user; if None, the embedded student is exported, unless the digits run has its own.
        student: `DIGITS` or `ANIMALS`.
        cache: keeps that export.

    Raises:
        UserError: `chosen` has no file for one of the runtimes, or was exported by an older version.
        ToolError: the export fails.
    """
    if chosen is not None:
        return _check(chosen)
    if student == DIGITS and all((RUN_ARTIFACTS / name).is_file() for name in (MANIFEST_FILE, *_NEEDED)):
        return _check(RUN_ARTIFACTS)
    return _export(student, cache / "model")


def app_artifacts(manifest: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the artifacts that the app holds: those for Android that lie in `folder` and that it can run."""
    return [
        artifact
        for artifact in manifest["artifacts"]
        if (artifact["runtime"], artifact["backend"]) in BACKENDS
        and "android" in artifact["platforms"]
        and (folder / artifact["file"]).is_file()
    ]


def copy_assets(artifacts: Path, target: Path, program: list[str]) -> Path:
    """Lay out a folder of assets with the Gradle build's own code, and see that it refuses a damaged model.

    Args:
        artifacts: folder of the exported model.
        target: becomes the folder of assets.
        program: the command that copies; the two folders follow.

    Returns:
        `target`.

    Raises:
        ToolError: it does not copy.
        UserError: it copies a damaged model, or a part of one.
    """
    names = sorted(path.name for path in artifacts.iterdir() if path.is_file())
    key = digest(*program, *(artifacts / name for name in names))
    if is_made(target.parent, key):
        return target
    begin(target.parent)
    copied = target / ASSET_FOLDER
    damaged = target.parent / "damaged"
    shutil.copytree(artifacts, damaged)
    model = damaged / app_artifacts(read_manifest(artifacts), artifacts)[-1]["file"]
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    try:
        run_tool([*program, damaged, copied], "copyModel refuses the model")
    except ToolError as error:
        if "is not the one of its manifest" not in error.output or copied.exists():
            raise UserError(f"copyModel says of a damaged model: {error.output.strip()}") from None
    else:
        raise UserError("copyModel copies a damaged model")
    shutil.rmtree(damaged)
    run_tool([*program, artifacts, copied], "copyModel refuses the model")
    finish(target.parent, key)
    return target


def _check(folder: Path) -> Path:
    manifest = read_manifest(folder)
    found = {(artifact["runtime"], artifact["backend"]) for artifact in app_artifacts(manifest, folder)}
    for runtime, backend in BACKENDS:
        if (runtime, backend) not in found:
            raise UserError(
                f"{folder} has no {backend} file for {runtime}; export with: python deploy/android/export.py"
            )
    return folder


def _export(student: Path, cache: Path) -> Path:
    """Return a folder with an embedded student's artifacts; made once for each student."""
    sources = [student / "student.safetensors", *sorted((student / "qat").glob("*.safetensors"))]
    key = digest(*sources, *_NEEDED)
    folder = cache / key[:16]
    if not is_made(folder, key):
        begin(folder)
        script = PROJECT / "export.py"
        command = [sys.executable, script, "--run", student, "--out", folder, "--only", *_NEEDED]
        run_tool(command, "the embedded student cannot be exported", ROOT)
        finish(folder, key)
    return _check(folder)
