"""What of this machine the process may use."""

import os


def usable_cores() -> int:
    """Return how many cores this process may run on: fewer than the machine has, inside a job or a container."""
    count = getattr(os, "process_cpu_count", None)  # since Python 3.13
    if count is not None:
        return count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
