"""TFLite files of a deploy form, by litert-torch: fp32, fp16 and int8.

All take `z` float32 [1, z_dim] and `class_weights` float32 [1, num_classes] (`z` alone for a one-class form) and
give `image` float32 [1, H, W, 3] in [-1, 1]; the signature "serving_default" has these names.
"""

import contextlib
import copy
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from compress.deploy_form import DeployBlock, DeployGenerator, ImageForm, Modulation
from compress.export_points import ExportOperation, use_integer_resize
from compress.fake_quant import QuantGenerator
from compress.one_class import OneClassGenerator
from compress.points import Point
from deploy.android.tflite_file import check_structure, read_tflite
from deploy.android.tflite_rewrite import with_float_interface, with_half_weights
from deploy.android.tflite_weights import check_weights
from deploy.quiet import quiet
from train.commands import to_install
from train.errors import UserError


def convert_float(form: DeployGenerator | OneClassGenerator) -> bytes:
    """Return the fp32 file of a float form, which is left as it is.

    Raises:
        UserError: litert-torch is not installed, or the file's graph is not what it should be.
    """
    with _unchanged(form):
        channels_last = copy.deepcopy(form).eval()
        channels_last.to_nhwc()
        converted = _convert(channels_last, quantized=False)
    check_structure(read_tflite(converted), "fp32")
    return converted


def convert_half(float_file: bytes) -> bytes:
    """Return the fp16 file for an fp32 one: float16 weights behind DEQUANTIZE operations, float32 biases.

    Args:
        float_file: what `convert_float` returned.

    Raises:
        UserError: a weight is beyond what float16 holds.
    """
    converted = with_half_weights(float_file)
    check_structure(read_tflite(converted), "fp16")
    return converted


def convert_int8(student: QuantGenerator) -> bytes:
    """Return the int8 file of a quantized student, which is left as it is; it holds the student's own scales.

    Four-bit weights are not exported: ai-edge-litert 2.3 runs them, but its depthwise convolutions with the
    XNNPACK delegate then differed from the same levels stored in eight bits.

    Raises:
        UserError: litert-torch is not installed, a range is not set, the weights do not have eight bits, an
            operation would compute in float, or the file's weights and grids are not the student's.
    """
    bits = (student.quantization.weight_bits, student.quantization.activation_bits)
    if bits != (8, 8):
        raise UserError(f"a W{bits[0]}A{bits[1]} student is not exported to TFLite; give a W8A8 student")
    with _unchanged(student):
        form = use_integer_resize(student.export_form(float_weights=True, nhwc=True))
        assert isinstance(form, ImageForm)
        _put_weights_on_their_grids(form)
        _part_equal_biases(form)
        converted = with_float_interface(_convert(form, quantized=True))
        file = read_tflite(converted)
        check_structure(file, "int8")
        check_weights(file, student)
    return converted


class _Named(nn.Module):
    """The form with its inputs and its output as the file names them."""

    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.form = form

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"image": self.form(*inputs.values())}


class _ChannelsLastInput(nn.Module):
    """The input of the first block, rounded in NHWC order.

    Between the reshaped output of the first Linear and the first convolutions nothing tells the converter to leave
    the NCHW order of torch; it would keep it, and put three TRANSPOSE operations around.
    """

    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point

    def forward(self, x: torch.Tensor, observe: bool = True) -> torch.Tensor:
        return self.point(x, observe)

    def fork(self, x: torch.Tensor, consumers: int, observe: bool = True) -> list[torch.Tensor]:
        copies = self.point.fork(x.permute(0, 2, 3, 1), consumers, observe)
        return [copy.permute(0, 3, 1, 2) for copy in copies]


class _ChannelsLastModulation(nn.Module):
    """The first `Modulation`, computed in NHWC order for the same reason."""

    def __init__(self, modulation: Modulation) -> None:
        super().__init__()
        self.modulation = modulation
        self.output = modulation.output

    def forward(self, x: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        x, gain, bias = (t.permute(0, 2, 3, 1) for t in (x, gain, bias))
        return self.modulation(x, gain, bias).permute(0, 3, 1, 2)


def _convert(form: ImageForm, quantized: bool) -> bytes:
    """Convert a form that is in NHWC order; it is changed."""
    _litert_torch()
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig

    first = form.blocks[0]
    if isinstance(first, DeployBlock):
        first.input = _ChannelsLastInput(first.input)  # type: ignore[assignment]
        first.modulation1 = _ChannelsLastModulation(first.modulation1)  # type: ignore[assignment]
    inputs = {"z": torch.zeros(1, form.config.z_dim)}
    if isinstance(form, DeployGenerator):
        inputs["class_weights"] = torch.zeros(1, form.config.num_classes)
    options: dict[str, Any] = {}
    if quantized:
        # No quantizer runs: this is how the converter is told to make integer operations of the rounding it finds.
        symmetric = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
        options["quant_config"] = QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(symmetric))
    return convert_module(form, inputs, **options)


def convert_module(module: nn.Module, inputs: dict[str, torch.Tensor], **options: Any) -> bytes:
    """Return the file of any module, unchecked: input tensors by name → `image`.

    Raises:
        UserError: litert-torch is not installed.
    """
    litert_torch = _litert_torch()
    with quiet(), torch.no_grad():
        model = litert_torch.convert(_Named(module).eval(), sample_kwargs=inputs, **options)
        return bytes(model.model_content())


def _put_weights_on_their_grids(form: nn.Module) -> None:
    """Replace the weights by what their levels stand for.

    The converter divides by the scale where the student multiplies by its inverse: at a tie, one in some thousand
    weights would land on the level beside the student's.
    """
    for module in form.modules():
        if isinstance(module, ExportOperation):
            grid = (module.scale, module.zero_point, *module.grid)
            levels = torch.ops.quantized_decomposed.quantize_per_channel(module.weight, *grid)
            module.weight = torch.ops.quantized_decomposed.dequantize_per_channel(levels, *grid)


def _part_equal_biases(form: nn.Module) -> None:
    """Move the first element of every bias whose elements are all equal by one unit in the last place.

    litert-torch 0.10 stores such a bias as one number, and rounds it with the scale of the first channel for all.
    One unit is far below half a step of the int32 grid that biases are rounded to.
    """
    for name, parameter in form.named_parameters():
        bias = parameter.data
        if name.endswith("bias") and len(bias) > 1 and bias[0] != 0 and bool((bias == bias[0]).all()):
            bias[0] = torch.nextafter(bias[0], torch.zeros(()))


@contextlib.contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    yield
    for name, tensor in module.state_dict().items():
        assert torch.equal(before[name], tensor), f"the conversion changed {name} of the live model"


def _litert_torch() -> Any:
    # The library reads this when it converts.
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    try:
        with quiet():
            import litert_torch
    except ModuleNotFoundError as error:
        raise UserError(
            f"no {error.name}, which makes TFLite files; install it with: {to_install('android')}"
        ) from None
    return litert_torch
