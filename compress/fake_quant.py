"""A deploy form whose weights and activations are rounded as on the phone: trainable, and exportable as it is."""

import contextlib
import copy
import fnmatch
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import torch
from torch import nn

from compress.deploy_form import ClassAffine, DeployGenerator
from compress.export_points import ExportOperation, ExportPoint
from compress.importance import parts, weigh
from compress.one_class import OneClassGenerator
from compress.points import Layer, Point
from compress.quant_config import MOST_WEIGHT_BITS, QuantConfig
from compress.quantizer import Mode, QuantOperation, QuantPoint
from compress.ranges import RangeObserver
from train.errors import UserError, did_you_mean

_SMALLEST_WIDTH = 1e-8


class SlicedClassAffine(nn.Module):
    """`ClassAffine` with one Linear, and so one range, for each vector of gains or biases."""

    def __init__(self, source: ClassAffine) -> None:
        super().__init__()
        self.embedding = Point()
        weights = source.linear.weight.detach().split(list(source.sizes.values()))
        biases = source.linear.bias.detach().split(list(source.sizes.values()))
        self.vectors = nn.ModuleDict()
        for name, weight, bias in zip(source.sizes, weights, biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.weight, linear.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
            self.vectors[name] = Layer(linear)

    def forward(self, embedding: torch.Tensor) -> list[torch.Tensor]:
        """[N, class_embedding_dim] → a tensor [N, size, 1, 1] for each vector."""
        inputs = self.embedding.fork(embedding, len(self.vectors))
        return [
            layer.output(layer(x)[:, :, None, None], observe=False)  # type: ignore[operator]
            for layer, x in zip(self.vectors.values(), inputs, strict=True)
        ]


class QuantGenerator(nn.Module):
    """(z, class weights) → image, or z → image of a one-class form, quantized as `config` says.

    It copies the form. `calibrate` sets the ranges and switches rounding on. In train mode the ranges are then
    learned until `freeze_ranges`; weight scales follow the weights and are learned too. The state_dict has it all.
    """

    frozen: torch.Tensor

    def __init__(self, form: DeployGenerator | OneClassGenerator, config: QuantConfig | None = None) -> None:
        super().__init__()
        self.quantization = config or QuantConfig()
        self.config = form.config
        self.form = copy.deepcopy(form)
        self._points: dict[str, QuantPoint] = {}
        self._operations: dict[str, QuantOperation] = {}
        self.register_buffer("frozen", torch.tensor(False))
        # The same as a plain value: reading the buffer in every forward pass would make it wait for the GPU. A
        # weight average copies the buffer alone, and is never trained.
        self._frozen = False
        self.register_load_state_dict_post_hook(_note_frozen)
        self._mode: Mode = "float"
        if isinstance(self.form, DeployGenerator) and self.quantization.class_path == "slices":
            assert isinstance(self.form.class_affine, ClassAffine)
            self.form.class_affine = SlicedClassAffine(self.form.class_affine)
        self._insert_quantizers()
        self.to(form.input_linear.weight.device).train(form.training)

    def _insert_quantizers(self) -> None:
        names = []
        for path, module in list(self.form.named_modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                name = f"{path.removesuffix('.operation')}.weight"
                if (bits := self._weight_bits(name)) is not None:
                    self._operations[name] = QuantOperation(module, bits)
                    self.form.set_submodule(path, self._operations[name])
            elif type(module) is Point:
                name = path
                if (bits := self.quantization.bits_of(name)) is not None:
                    self._points[name] = QuantPoint(module, bits)
                    self.form.set_submodule(path, self._points[name])
            else:
                continue
            names.append(name)
        for pattern, _ in self.quantization.exceptions:
            if not fnmatch.filter(names, pattern):
                raise UserError(f"the exception {pattern!r} matches no layer{did_you_mean(pattern, names)}")

    def _weight_bits(self, name: str) -> int | None:
        """Return a weight's bits; only with a name is it known whether a pattern meets weights."""
        bits = self.quantization.bits_of(name)
        if bits is not None and bits > MOST_WEIGHT_BITS:
            raise UserError(
                f"an exception gives {name} {bits} bits, and weights have {MOST_WEIGHT_BITS} at most; "
                f"name activations alone, such as {name.removesuffix('weight')}output, or give fewer"
            )
        return bits

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Run the form: (z float32 [N, z_dim], class weights float32 [N, num_classes]) → [N, 3, H, W]."""
        training = self.training and self._mode == "quantize"
        learning = training and not self._frozen
        for point in self._points.values():
            point.learning = learning
            if learning:
                point.follow()
        image = self.form(*inputs)
        if training and not learning:
            # A gradient of 0 for the ranges: among several processes each has to report every parameter.
            stretches = [point.stretch.sum() for point in self._points.values() if point.stretch is not None]
            image = image + 0 * sum(stretches)
        return image

    @property
    def mode(self) -> Literal["float", "quantize"]:
        """Whether values are rounded; not part of the state_dict."""
        return "quantize" if self._mode == "quantize" else "float"

    @mode.setter
    def mode(self, mode: Literal["float", "quantize"]) -> None:
        if mode == "quantize":
            self.check_ranges()
        self._set_mode(mode)

    def _set_mode(self, mode: Mode) -> None:
        self._mode = mode
        for quantizer in (*self._points.values(), *self._operations.values()):
            quantizer.mode = mode

    @torch.no_grad()
    def calibrate(
        self, batches: Sequence[tuple[torch.Tensor, ...]], observed: dict[str, RangeObserver] | None = None
    ) -> None:
        """Choose all ranges from float forward passes of `batches`, then switch rounding on.

        Args:
            batches: the inputs of forward.
            observed: what was seen of these batches with other bits, by point; what is missing is added.

        Raises:
            UserError: no batches, or an activation is constant or not finite.
        """
        if not batches:
            raise UserError("no latents to calibrate with; give at least one batch")
        for operation in self._operations.values():
            operation.clip.fill_(1)
            if self.quantization.weight_range == "mse":
                operation.choose_clip()
        points = {name: point for name, point in self._points.items() if point.fixed is None}
        observed = {} if observed is None else observed
        if unseen := {name: point for name, point in points.items() if name not in observed}:
            self._observe(unseen, batches)
            observed |= {name: point.observer for name, point in unseen.items()}
        for name, point in points.items():
            method, percentile = self.quantization.range_method, self.quantization.percentile
            _check_range(name, *observed[name].ends())
            point.set_range(*observed[name].choose(method, point.bits, percentile, point.through))
        self.freeze_ranges(False)
        self.mode = "quantize"

    def _observe(self, points: dict[str, QuantPoint], batches: Sequence[tuple[torch.Tensor, ...]]) -> None:
        method = self.quantization.range_method
        self._set_mode("values" if method in {"percentile", "mse"} else "ends")
        if method != "image":
            for part in parts(self.config, batches, "calibrating"):
                self.form(*part)
            return
        for seen in weigh(self.form, self.config, points, batches, title="calibrating"):
            for name, (x, weights) in ((name, use) for name, uses in seen.items() for use in uses):
                judged = points[name].through is not None  # the rest of the network is in that function
                points[name].observer.see_values(x, None if judged else weights)

    def freeze_ranges(self, frozen: bool = True) -> None:
        """Let the ranges stay where they are; the state_dict remembers it."""
        if frozen:
            self.check_ranges()
        self.frozen.fill_(frozen)
        self._frozen = frozen

    @property
    def has_frozen_ranges(self) -> bool:
        """Whether the ranges stay where they are."""
        return self._frozen

    def check_ranges(self) -> None:
        """Look at every range and weight.

        Raises:
            UserError: an activation range is not set, not finite or collapsed, or a weight is not finite.
        """
        for name, point in self._points.items():
            _check_range(name, *point.range.tolist())
        for name, operation in self._operations.items():
            if not torch.isfinite(operation.operation.weight).all():
                raise UserError(f"{name} is not finite; go back to an earlier state and lower the learning rate")

    def layers(self) -> list[str]:
        """Return the names of all quantizers: of weights ("to_rgb.weight") and activations ("to_rgb.output")."""
        return [*self._operations, *self._points]

    def points(self) -> dict[str, QuantPoint]:
        """Return the activation quantizers by name."""
        return dict(self._points)

    def operations(self) -> dict[str, QuantOperation]:
        """Return the weight quantizers by name."""
        return dict(self._operations)

    @contextlib.contextmanager
    def only(self, names: Iterable[str]) -> Iterator[None]:
        """Quantize nothing but `names` inside the context.

        Raises:
            UserError: a name is unknown.
        """
        chosen = set(names)
        for name in sorted(chosen - set(self.layers())):
            raise UserError(f"there is no quantized layer {name}{did_you_mean(name, self.layers())}")
        quantizers = {**self._operations, **self._points}
        for name, quantizer in quantizers.items():
            quantizer.enabled = name in chosen
        try:
            yield
        finally:
            for quantizer in quantizers.values():
                quantizer.enabled = True

    @torch.no_grad()
    def dequantized_form(self) -> nn.Module:
        """Return the float form of the rounded weights, without any rounding of activations."""
        form = copy.deepcopy(self.form)
        for path, module in list(form.named_modules()):
            if isinstance(module, QuantPoint):
                form.set_submodule(path, Point(module.fixed, module.through))
            elif isinstance(module, QuantOperation):
                scale = module.scale().reshape(-1, *[1] * (module.operation.weight.dim() - 1))
                module.operation.weight.copy_(module.levels() * scale)
                form.set_submodule(path, module.operation)
        return form.eval().requires_grad_(False)

    def export_form(self, float_weights: bool = False, nhwc: bool = False) -> nn.Module:
        """Return a copy whose rounding is done by `torch.ops.quantized_decomposed`, for `torch.export.export`.

        Its images are those of this module exactly, in NCHW.

        Args:
            float_weights: keep weights float behind quantize and dequantize operations, as litert-torch wants
                them; else they are integers behind a dequantize operation, as the other exporters do.
            nhwc: compute the first Linear in NHWC order and return images as [N, H, W, 3].

        Raises:
            UserError: a range is not set, not finite or collapsed.
        """
        self.check_ranges()
        form = copy.deepcopy(self.form)
        for path, module in list(form.named_modules()):
            if isinstance(module, QuantPoint):
                form.set_submodule(path, ExportPoint(module))
            elif isinstance(module, QuantOperation):
                form.set_submodule(path, ExportOperation(module, float_weights))
        if nhwc:
            form.to_nhwc()
        return form.eval().requires_grad_(False)


def _note_frozen(student: nn.Module, _: object) -> None:
    assert isinstance(student, QuantGenerator)
    student._frozen = bool(student.frozen)


def _check_range(name: str, low: float, high: float) -> None:
    if math.isnan(low) or math.isnan(high):
        raise UserError(f"the activation range of {name} is not set or not a number; calibrate a finite student")
    if math.isinf(low) or math.isinf(high):
        raise UserError(f"the activation range of {name} exploded to [{low}, {high}]; take an earlier snapshot")
    if max(high, 0.0) - min(low, 0.0) < _SMALLEST_WIDTH:
        raise UserError(
            f"the activation range of {name} collapsed to [{low}, {high}]; train longer or leave it float"
        )
