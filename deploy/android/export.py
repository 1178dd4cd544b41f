"""Write what an Android app needs from one run folder: `python deploy/android/export.py --run runs/digits`.

ExecuTorch programs (XNNPACK fp32 and int8, Vulkan fp16) and TFLite files (fp32, fp16, int8), each run and compared
with its student before it gets its name; manifest.json and golden.npz beside them.
"""

from deploy.android.artifacts import STUDENTS, android_artifacts
from deploy.selection import run_export
from train.cli import run_script


def main(arguments: list[str]) -> None:
    """Export."""
    run_export(arguments, "Write ExecuTorch and TFLite files of a student.", android_artifacts, STUDENTS)


if __name__ == "__main__":
    run_script(main)
