"""ExecuTorch programs (.pte) for Core ML: one delegate, which holds a whole Core ML package.

No runtime here can run them, but the package inside is an ordinary one: `extract_package` takes it out, and
`deploy.ios.mil_program` evaluates it.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from compress.deploy_form import ImageForm
from compress.fake_quant import QuantGenerator
from deploy.executorch_program import Lowered, lower, read_contents
from deploy.ios.coreml import (
    RESCALING_PASS,
    Compute,
    FloatForm,
    check_activations,
    check_unchanged,
    coremltools,
    example_inputs,
    oldest_system,
)
from deploy.quiet import quiet
from train.commands import to_install
from train.errors import UserError
from train.files import write_atomically

BACKEND = "CoreMLBackend"
_PACKAGE = "model.mlpackage"


def export_delegate(model: FloatForm | QuantGenerator, path: Path, *, compute: Compute = "fp16") -> Lowered:
    """Write a .pte file whose graph is all in one Core ML delegate; images are float32 [1, 3, H, W].

    With fp16 the package inside gives fp16 images, and the program states float32: the delegate's runtime lets
    Core ML write fp16 and converts that into the program's tensor. This is read in its source, not yet seen on a
    phone. The map from Core ML's operations to those of the program, which only debuggers read, is left empty.

    Args:
        model: a float form (iOS 16 and later), or a quantized student (iOS 17; iOS 18 with four-bit weights).
        path: of the file; an old one is replaced.
        compute: see `deploy.ios.coreml.convert_quantized`.

    Raises:
        UserError: an operation is left outside the delegate, coremltools or executorch is not installed, or
            the student's grids are none that Core ML has.
        RuntimeError: the lowering has changed the live model.
    """
    ct = coremltools()
    module, form, target = model, model, "iOS16"
    if isinstance(model, QuantGenerator):
        check_activations(model)
        module, form, target = model.export_form(), model.form, oldest_system(model)
    assert isinstance(form, ImageForm)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with quiet():
        lowered = lower(module, tuple(example_inputs(form).values()), [_partitioner(ct, target, compute)])
    check_unchanged(model, before)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: temporary.write_bytes(lowered.buffer))
    return lowered


def extract_package(path: Path, folder: Path) -> Path:
    """Write the package inside a .pte file's only delegate to `folder`/model.mlpackage, and return its path.

    Raises:
        UserError: `path` is no .pte file with exactly one Core ML delegate, or executorch is not installed.
    """
    payload = read_contents(path).only_payload(BACKEND)
    with quiet():
        from executorch.backends.apple.coreml import executorchcoreml
    package = folder / _PACKAGE
    with tempfile.TemporaryDirectory() as temporary:
        if not executorchcoreml.unflatten_directory_contents(payload, temporary):
            raise UserError(f"{path} is damaged: its Core ML payload cannot be unpacked; export it again")
        (found,) = Path(temporary).rglob(_PACKAGE)
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(found, package)
    return package


def _partitioner(ct: Any, target: str, compute: Compute) -> Any:
    """Return a partitioner with coremltools' passes but the one that rescales a student's grids."""
    try:
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner
    except ImportError:
        raise UserError(f"executorch is not installed; {to_install('ios')}") from None
    specs = CoreMLBackend.generate_compile_specs(
        minimum_deployment_target=getattr(ct.target, target),
        compute_precision=ct.precision.FLOAT16 if compute == "fp16" else ct.precision.FLOAT32,
        pass_names=[name for name in ct.PassPipeline.DEFAULT.passes if name != RESCALING_PASS],
    )

    class WithoutDebugMap(CoreMLPartitioner):
        """The map is made from these handles, and there is no option against it."""

        def partition(self, exported_program: torch.export.ExportedProgram) -> Any:
            for node in exported_program.graph.nodes:
                node.meta.pop("debug_handle", None)
            return super().partition(exported_program)

    return WithoutDebugMap(compile_specs=specs)
