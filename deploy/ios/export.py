"""Write what an iOS app needs from one run folder: `python deploy/ios/export.py --run runs/digits`.

Core ML packages (fp16, 6-bit palettes, int8, int4) and ExecuTorch programs (Core ML fp16 and int8, XNNPACK fp32
and int8), each run and compared with its student before it gets its name; manifest.json and golden.npz beside
them.
"""

from deploy.ios.artifacts import STUDENTS, IosExportConfig, ios_artifacts
from deploy.selection import run_export
from train.cli import run_script


def main(arguments: list[str]) -> None:
    """Export."""
    description = "Write Core ML packages and ExecuTorch files of a student."
    run_export(arguments, description, ios_artifacts, STUDENTS, IosExportConfig)


if __name__ == "__main__":
    run_script(main)
