"""Times of single operations inside an ExecuTorch program, by the runtime's own event tracer."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from deploy.executorch_program import missing, prepare_program
from deploy.quiet import quiet

_EXECUTE = "Execute"


def profile_program(path: Path, inputs: tuple[np.ndarray, ...], runs: int) -> dict[str, list[float]]:
    """Run a .pte file with the event tracer, on one thread.

    Args:
        path: of the file.
        inputs: of one image, each float32 [1, length].
        runs: how often; the first one, which also packs weights, is left out.

    Returns:
        Operation, as the backend names it and in the order of execution → milliseconds of each run.

    Raises:
        UserError: as `prepare_program`.
    """
    prepare_program(path, threads=1)  # checks the file, and sets the threads
    try:
        with quiet():
            from executorch.devtools import Inspector
            from executorch.runtime import Runtime
    except ImportError:
        raise missing() from None
    tensors = [torch.from_numpy(np.ascontiguousarray(x)) for x in inputs]
    with tempfile.TemporaryDirectory() as folder, quiet():
        program = Runtime.get().load_program(path, enable_etdump=True, debug_buffer_size=0)
        method = program.load_method("forward")
        assert method is not None
        for _ in range(runs + 1):
            method.execute(tensors)
        trace = Path(folder) / "trace.etdp"
        program.write_etdump_result_to_file(str(trace), str(Path(folder) / "debug.bin"))
        blocks = Inspector(etdump_path=str(trace)).event_blocks
    (executed,) = (block for block in blocks if block.name == _EXECUTE)
    return {
        str(event.name): [float(value) for value in event.perf_data.raw[1:]]
        for event in executed.events
        if event.is_delegated_op and event.perf_data is not None
    }
