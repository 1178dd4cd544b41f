"""Write a student as a page for browsers: `python deploy/web/export.py --run runs/digits`.

The `.tflite` file is exported, or taken from the run's artifacts where it is there, and put into a folder together
with the page and LiteRT.js. Any static server can show the folder.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from deploy.android.artifacts import android_artifacts
from deploy.pipeline import export
from deploy.selection import ExportConfig
from deploy.source import open_source
from deploy.web.page_folder import write_page
from train.cli import parse, run_script
from train.commands import typed
from train.errors import UserError
from train.files import check_writable


@dataclasses.dataclass(frozen=True)
class WebExportConfig:
    """Which run becomes a page, and where."""

    run: Path = Path("runs/digits")
    """Run folder of train/main.py and, for int8, compress/qat.py."""
    out: Path | None = None
    """Folder of the page; <run>/web by default."""
    artifacts: Path | None = None
    """Where the .tflite file is, or goes with manifest.json and golden.npz; <run>/artifacts by default."""
    precision: Literal["int8", "fp32"] | None = None
    """By default int8, or fp32 where there is no int8 student. (fp16 is slow in browsers.)"""


def main(arguments: list[str]) -> None:
    """Export."""
    config = parse(WebExportConfig, arguments, "Write a student as a page for browsers.")
    folder = export_page(config)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shown = typed("deploy/web/demo.py", "--page", folder)
    print(f"page: {folder} ({size / 1e6:.1f} MB); look at it with: {shown}")


def export_page(config: WebExportConfig) -> Path:
    """Write the page of a run; return its folder.

    Raises:
        UserError: there is no such run or student, the file does not pass the gate, or LiteRT.js cannot be had.
    """
    folder = config.out or config.run / "web"
    check_writable(folder)
    source = open_source(config.run)
    precision = config.precision or ("int8" if "int8" in source.quantized else "fp32")
    if precision == "int8" and "int8" not in source.quantized:
        made = typed("compress/qat.py", "--run", config.run)
        raise UserError(f"--precision int8: no int8 student; make it with: {made}")
    if config.precision is None and precision == "fp32":
        print("the page gets the fp32 file, three times as large: there is no int8 student", flush=True)
    file = f"student_{precision}.tflite"
    artifacts = config.artifacts or config.run / "artifacts"
    chosen = [a for a in android_artifacts(source, ExportConfig(config.run)) if a.file == file]
    failures = export(chosen, source, artifacts)
    if failures:
        raise UserError(failures[0])
    write_page(artifacts, file, folder)
    return folder


if __name__ == "__main__":
    run_script(main)
