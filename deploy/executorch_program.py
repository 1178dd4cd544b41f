"""ExecuTorch programs: lowering a module to the bytes of a .pte file, looking into one, and running one."""

import contextlib
import copy
import dataclasses
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from deploy.quiet import quiet, without_chatter
from train.commands import to_install
from train.errors import UserError


@dataclasses.dataclass(frozen=True)
class Lowered:
    """A program as it is written to a .pte file."""

    buffer: bytes
    delegates: tuple[str, ...]
    """The backend of each delegate, in the order of the file."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a .pte file holds."""

    input_shapes: tuple[tuple[int, ...], ...]
    """Of each input."""
    delegates: tuple[str, ...]
    """The backend of each delegate."""
    kernels: dict[str, int]
    """Operation → how many calls of the runtime's own kernels."""
    payloads: tuple[bytes, ...]
    """What each delegate gave to its backend."""
    named_data: dict[str, bytes]
    """Constants that delegates keep outside their payload, padded at the end."""

    def only_payload(self, backend: str) -> bytes:
        """Return what the file's one delegate gave to its backend.

        Raises:
            UserError: there is not exactly one delegate, or it is another backend's.
        """
        if self.delegates != (backend,):
            raise UserError(f"the program's delegates are {list(self.delegates)}, not one {backend}")
        return self.payloads[0]


def lower(
    module: nn.Module,
    example_inputs: tuple[torch.Tensor, ...],
    partitioners: Sequence[Any],
) -> Lowered:
    """Compile a module for fixed shapes; the module itself stays as it is.

    Args:
        module: computes float images; it is lowered in eval mode.
        example_inputs: of the shapes that the program will take, on the CPU.
        partitioners: of ExecuTorch, which choose what goes to which backend.

    Raises:
        UserError: an operation is left outside, to the runtime's own slow kernels, or what is inside is split, or
            executorch is not installed.
        RuntimeError: lowering has changed the module.
    """
    executorch = _executorch()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with quiet():
        program = torch.export.export(copy.deepcopy(module).eval().requires_grad_(False), example_inputs)
        edge = executorch.lower(program, partitioner=list(partitioners))
        outside = Counter(_names(edge.exported_program().graph_module.graph))
        buffer = bytes(edge.to_executorch().buffer)
    _check_unchanged(module, before)
    contents = read_contents(buffer)
    if outside:
        listed = ", ".join(f"{count} × {name}" for name, count in sorted(outside.items()))
        raise UserError(f"outside the delegate are {listed}; rewrite them")
    if len(contents.delegates) != 1:
        raise UserError(f"the graph fell into {len(contents.delegates)} delegates; one dequantize per consumer?")
    if contents.kernels:
        raise RuntimeError(f"the file calls the kernels {contents.kernels}, and the graph has nothing outside")
    return Lowered(buffer, contents.delegates)


def read_contents(source: Path | bytes) -> Contents:
    """Look into a .pte file, given as a path or as its bytes.

    Raises:
        UserError: there is no such file, it is no ExecuTorch program, or executorch is not installed.
    """
    executorch = _executorch()
    name = "the program" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        file = executorch.deserialize(data)
    except FileNotFoundError:
        raise UserError(f"no file at {source}; export one first") from None
    except Exception as error:  # the reader has no error type of its own
        raise UserError(f"{name} is no ExecuTorch program ({error}); export it again") from None
    (plan,) = file.program.execution_plan
    calls = (instruction.instr_args for chain in plan.chains for instruction in chain.instructions)
    kernels = Counter(
        f"{plan.operators[call.op_index].name}.{plan.operators[call.op_index].overload}"
        for call in calls
        if type(call).__name__ == "KernelCall"
    )
    stored, inline = file.named_data, file.program.backend_delegate_data
    return Contents(
        input_shapes=tuple(tuple(plan.values[index].val.sizes) for index in plan.inputs),
        delegates=tuple(delegate.id for delegate in plan.delegates),
        kernels=dict(kernels),
        payloads=tuple(bytes(inline[delegate.processed.index].data) for delegate in plan.delegates),
        named_data={key: bytes(stored.buffers[entry.buffer_index]) for key, entry in stored.pte_data.items()}
        if stored
        else {},
    )


def prepare_program(path: Path, threads: int | None = None) -> Callable[[], Callable[..., np.ndarray]]:
    """Check a .pte file of batch 1 and get ExecuTorch's own runtime ready for it.

    Args:
        path: of the file.
        threads: of the runtime's thread pool, which all programs of this process share; None: as it is. Another
            number than now frees the pool that loaded programs point to: run none of those again, it would crash.

    Returns:
        What loads it, to be timed; that gives a function from inputs, each float32 [1, …], to the first output.

    Raises:
        UserError: no such file, it is no program, no executorch, or (when it loads) a backend is lacking.
    """
    _check_mark(path)
    with without_chatter():
        runtime = _runtime()
        if threads is not None:
            runtime.native._unsafe_reset_threadpool(threads)

    def load() -> Callable[..., np.ndarray]:
        try:
            program = runtime.load(path)
            method = program.load_method("forward")
        except RuntimeError as error:
            raise _refused(path, runtime, error) from None

        def run(*inputs: np.ndarray) -> np.ndarray:
            return method.execute([torch.from_numpy(np.ascontiguousarray(x)) for x in inputs])[0].numpy()

        return run

    return load


def _check_mark(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"no file at {path}; export one first")
    with path.open("rb") as file:
        if file.read(8)[4:6] != b"ET":
            raise UserError(f"{path} is no ExecuTorch program (it lacks the mark ET); export it again")


def _refused(path: Path, runtime: SimpleNamespace, error: RuntimeError) -> UserError:
    """Return why the runtime does not take a program; looking into it takes seconds, so only now."""
    available = runtime.native._get_registered_backend_names()
    for backend in read_contents(path).delegates:
        if backend not in available:
            listed = ", ".join(sorted(available))
            return UserError(f"{path} needs {backend}, and the runtime here has {listed}; run it on a device")
    return UserError(f"the ExecuTorch runtime refuses {path} ({error}); export it again")


def load_program(path: Path, threads: int | None = None) -> Callable[..., np.ndarray]:
    """Load a .pte file of batch 1 into ExecuTorch's own runtime; see `prepare_program`.

    Returns:
        Inputs, each an array float32 [1, …] → the program's first output.
    """
    load = prepare_program(path, threads)
    with without_chatter():
        return load()


def _names(graph: Any) -> Iterator[str]:
    for node in graph.nodes:
        name = node.target.__name__ if node.op == "call_function" else ""
        if name and name not in ("executorch_call_delegate", "getitem"):
            yield name


def _check_unchanged(module: nn.Module, before: dict[str, torch.Tensor]) -> None:
    after = module.state_dict()
    for name, tensor in before.items():
        if name not in after or not torch.equal(tensor, after[name]):
            raise RuntimeError(f"lowering has changed {name} of the model")
    if len(after) != len(before):
        raise RuntimeError("lowering has added tensors to the model")


def _executorch() -> SimpleNamespace:
    try:
        with quiet():
            from executorch.exir import to_edge_transform_and_lower
            from executorch.exir._serialize._program import deserialize_pte_binary
    except ImportError:
        raise missing() from None
    return SimpleNamespace(lower=to_edge_transform_and_lower, deserialize=deserialize_pte_binary)


def _runtime() -> SimpleNamespace:
    try:
        with quiet(), _without_compiler():
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime
    except ImportError:
        raise missing() from None
    return SimpleNamespace(load=Runtime.get().load_program, native=portable_lib)


@contextlib.contextmanager
def _without_compiler() -> Iterator[None]:
    """Import the runtime without the compiler, all of which it would import for one class of warnings.

    In the package's place stands an empty one meanwhile, in which the small module is found.
    """
    name = "executorch.exir"
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None:
        yield
        return
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[name]


def missing() -> UserError:
    """Return the error that says how to install executorch."""
    return UserError(f"executorch is not installed; {to_install('android')}")
