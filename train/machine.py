"""What this machine is, and what of it the process may use."""

import os
import platform
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """Return how many cores this process may run on: fewer than the machine has, inside a job or a container."""
    count = getattr(os, "process_cpu_count", None)  # since Python 3.13
    if count is not None:
        return count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_machine() -> dict[str, Any]:
    """Return what identifies the machine that measures: its processor by name, cores, system."""
    return {
        "target": "host",
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
