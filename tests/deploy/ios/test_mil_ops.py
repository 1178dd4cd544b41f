import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mil_packages import build, save

from deploy.ios.mil_ops import OPS, compute
from deploy.ios.mil_program import load_program
from train.errors import UserError

pytest.importorskip("coremltools")

RANDOM = np.random.default_rng(0)
X = (1, 4, 5, 6)
KERNEL = RANDOM.normal(size=(6, 2, 3, 3)).astype(np.float32)
MATRIX, BIAS = RANDOM.normal(size=(6, 4)).astype(np.float32), RANDOM.normal(size=6).astype(np.float32)
CONV = {"strides": [2, 1], "pad_type": "custom", "pad": [1, 2, 0, 1], "dilations": [1, 2], "groups": 2}


def torch_conv(x):
    return F.conv2d(F.pad(x, (0, 1, 1, 2)), torch.from_numpy(KERNEL), torch.from_numpy(BIAS), (2, 1), 0, (1, 2), 2)


def rounded(x, scale, zero_point, low, high):
    levels = (torch.round(x * (1 / torch.tensor(scale))) + zero_point).clamp(low, high)
    return (levels - zero_point) * torch.tensor(scale)


# name: what MIL computes, what torch computes, shapes of the inputs
CASES = {
    "add": (lambda mb, x, y: mb.add(x=x, y=y), lambda x, y: x + y, [(2, 3, 4), (3, 1)]),
    "sub": (lambda mb, x, y: mb.sub(x=x, y=y), lambda x, y: x - y, [(2, 3), (2, 3)]),
    "mul": (lambda mb, x, y: mb.mul(x=x, y=y), lambda x, y: x * y, [X, (1, 4, 1, 1)]),
    "real_div": (lambda mb, x, y: mb.real_div(x=x, y=y), lambda x, y: x / y, [(2, 3), (2, 3)]),
    "relu": (lambda mb, x: mb.relu(x=x), F.relu, [X]),
    "tanh": (lambda mb, x: mb.tanh(x=x), torch.tanh, [X]),
    "floor": (lambda mb, x: mb.floor(x=x), torch.floor, [X]),
    "clip": (lambda mb, x: mb.clip(x=x, alpha=-0.5, beta=1.0), lambda x: x.clamp(-0.5, 1.0), [X]),
    "cast": (
        lambda mb, x: mb.cast(x=mb.cast(x=x, dtype="fp16"), dtype="fp32"),
        lambda x: x.half().float(),
        [X],
    ),
    "linear": (
        lambda mb, x: mb.linear(x=x, weight=MATRIX, bias=BIAS),
        lambda x: F.linear(x, torch.from_numpy(MATRIX), torch.from_numpy(BIAS)),
        [(2, 4)],
    ),
    "conv": (lambda mb, x: mb.conv(x=x, weight=KERNEL, bias=BIAS, **CONV), torch_conv, [X]),
    "conv without options": (
        lambda mb, x: mb.conv(x=x, weight=KERNEL[:, :, :1, :1], groups=2),
        lambda x: F.conv2d(x, torch.from_numpy(KERNEL[:, :, :1, :1]), groups=2),
        [X],
    ),
    "upsample_bilinear": (
        lambda mb, x: mb.upsample_bilinear(
            x=x, scale_factor_height=2.0, scale_factor_width=3.0, align_corners=False
        ),
        lambda x: F.interpolate(x, scale_factor=(2.0, 3.0), mode="bilinear", align_corners=False),
        [X],
    ),
    "upsample_bilinear with corners": (
        lambda mb, x: mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=2.0),
        lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True),
        [X],
    ),
    "identity": (lambda mb, x: mb.identity(x=x), lambda x: x, [X]),
    "reshape": (lambda mb, x: mb.reshape(x=x, shape=[4, -1, 2]), lambda x: x.reshape(4, 15, 2), [X]),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[0, 2, 3, 1]), lambda x: x.permute(0, 2, 3, 1), [X]),
    "expand_dims": (lambda mb, x: mb.expand_dims(x=x, axes=[1, -1]), lambda x: x[:, None, :, None], [(2, 3)]),
    "squeeze": (lambda mb, x: mb.squeeze(x=x, axes=[0]), lambda x: x[0], [X]),
    "concat": (
        lambda mb, x, y: mb.concat(values=[x, y, x], axis=1),
        lambda x, y: torch.cat([x, y, x], 1),
        [(2, 3), (2, 1)],
    ),
    "split": (
        lambda mb, x: mb.split(x=x, split_sizes=[1, 3], axis=1)[1],
        lambda x: x[:, 1:],
        [X],
    ),
    "split evenly": (lambda mb, x: mb.split(x=x, num_splits=2, axis=1)[0], lambda x: x[:, :2], [X]),
    "slice_by_index": (
        lambda mb, x: mb.slice_by_index(
            x=x,
            begin=[0, 1, 3, -4],
            end=[1, 0, 0, -1],
            stride=[1, 2, 1, 1],
            begin_mask=[True, False, False, False],
            end_mask=[False, True, False, False],
            squeeze_mask=[False, False, True, False],
        ),
        lambda x: x[:, 1::2, 3, -4:-1],
        [X],
    ),
    "quantize": (
        lambda mb, x: mb.dequantize(
            input=mb.quantize(input=x, scale=np.float32(0.011), zero_point=np.int8(-7), output_dtype="int8"),
            scale=np.float32(0.011),
            zero_point=np.int8(-7),
        ),
        lambda x: rounded(x, 0.011, -7, -128, 127),
        [X],
    ),
    "dequantize of uint8": (
        lambda mb, x: mb.dequantize(
            input=mb.quantize(input=x, scale=np.float32(0.01), output_dtype="uint8"), scale=np.float32(0.01)
        ),
        lambda x: rounded(x, 0.01, 0, 0, 255),
        [X],
    ),
    "quantize by channel": (
        lambda mb, x: mb.dequantize(
            input=mb.quantize(
                input=x,
                scale=np.float32([0.1, 0.2, 0.3, 0.4]),
                zero_point=np.int8([0, 1, 2, 3]),
                axis=1,
                output_dtype="int8",
            ),
            scale=np.float32([0.1, 0.2, 0.3, 0.4]),
            zero_point=np.int8([0, 1, 2, 3]),
            axis=1,
        ),
        lambda x: rounded(x, [[[[s]] for s in (0.1, 0.2, 0.3, 0.4)]], torch.arange(4.0)[:, None, None], -128, 127),
        [X],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_computes_what_torch_computes(case, tmp_path):
    mil, expected, shapes = CASES[case]
    program = load_program(save(build(mil, *shapes), tmp_path))
    random = np.random.default_rng(1)
    inputs = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    (found,) = program.run(dict(zip("abc", inputs, strict=False))).values()
    wanted = expected(*map(torch.from_numpy, inputs)).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert case.split()[0] in [operation.type for operation in program.operations]
    # The comparison can fail: other inputs give other values.
    others = expected(*(torch.from_numpy(x[..., ::-1] * 1.5 + 0.3) for x in inputs)).numpy()
    assert not np.allclose(found, others, atol=1e-3)


def test_every_operation_is_tested():
    compressed = {"constexpr_affine_dequantize", "constexpr_blockwise_shift_scale", "constexpr_lut_to_dense"}
    assert {case.split()[0] for case in CASES} | {"dequantize"} == set(OPS) - compressed


def test_fp16_is_computed_in_fp32_and_rounded_once():
    x = torch.randn(1, 64, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    weight = torch.randn(32, 64, 3, 3, generator=torch.Generator().manual_seed(1)).half()
    (found,) = compute("conv", {"x": x, "weight": weight})
    assert found.dtype == torch.float16
    assert torch.equal(found, F.conv2d(x.float(), weight.float()).half())
    (total,) = compute("add", {"x": torch.ones(1).half(), "y": torch.tensor([2.0**-12]).half()})
    assert total.tolist() == [1.0]


def test_quantize_breaks_ties_by_the_chosen_rule():
    scale = torch.tensor(0.011)
    x = (torch.arange(-100, 100) + 0.5) * scale
    levels = {
        rounding: compute("quantize", {"input": x, "scale": scale, "output_dtype": "int8"}, rounding)[0].float()
        for rounding in ("multiply", "divide")
    }
    assert torch.equal(levels["multiply"], torch.round(x * (1 / scale)))
    assert torch.equal(levels["divide"], torch.round(x / scale))
    assert 0 < (levels["multiply"] != levels["divide"]).sum() < 100


def test_quantize_rounds_ties_to_even_and_stops_at_both_ends():
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, 1000.0, -1000.0])
    one = torch.tensor(1.0)
    (signed,) = compute("quantize", {"input": x, "scale": one, "output_dtype": "int8"})
    assert signed.tolist() == [0, 2, 2, 0, 127, -128]
    zero_point = torch.tensor(3, dtype=torch.uint8)
    (unsigned,) = compute(
        "quantize", {"input": x, "scale": one, "zero_point": zero_point, "output_dtype": "uint8"}
    )
    assert unsigned.tolist() == [3, 5, 5, 3, 255, 0]


ONE, IMAGE = torch.tensor(1.0), torch.zeros(1, 2, 4, 4)
INT8 = torch.zeros(2, 3, dtype=torch.int8)
TWICE = {"scale_factor_height": torch.tensor(2.0), "scale_factor_width": torch.tensor(2.0)}


@pytest.mark.parametrize(
    ("op_type", "arguments", "message"),
    [
        ("lstm", {}, "no such operation"),
        ("relu", {"x": ONE, "alpha": ONE}, "input 'alpha' is not implemented"),
        ("add", {"x": ONE}, "input 'y' is missing"),
        ("add", {"x": ONE, "y": ONE.half()}, "not of one float type: x float32, y float16"),
        ("add", {"x": ONE.int(), "y": ONE.int()}, "not of one float type"),
        ("conv", {"x": IMAGE, "weight": IMAGE, "pad_type": "same"}, "pad_type is 'same'"),
        ("conv", {"x": IMAGE[0], "weight": IMAGE[0]}, "rank is 3"),
        ("cast", {"x": ONE, "dtype": "int32"}, "dtype is 'int32'"),
        ("quantize", {"input": ONE, "scale": ONE, "output_dtype": "int4"}, "output_dtype is 'int4'"),
        ("quantize", {"input": ONE, "scale": ONE.half(), "output_dtype": "int8"}, "scale of torch.float16"),
        (
            "quantize",
            {"input": ONE, "scale": ONE, "output_dtype": "int8", "zero_point": INT8[0, 0].to(torch.uint8)},
            "zero_point is torch.uint8 for int8",
        ),
        ("dequantize", {"input": INT8, "scale": torch.ones(3)}, "has no axis"),
        ("dequantize", {"input": INT8, "scale": torch.ones(3), "axis": torch.tensor(0)}, "3 scales for axis 0"),
        ("dequantize", {"input": INT8, "scale": ONE, "zero_point": torch.tensor(1)}, "zero_point is torch.int64"),
        (
            "upsample_bilinear",
            {"x": IMAGE, **TWICE, "align_corners": torch.tensor(True), "half_pixel_centers": torch.tensor(True)},
            "half_pixel_centers is True",
        ),
        ("reshape", {"x": IMAGE, "shape": torch.tensor([0, -1])}, r"shape is \[0, -1\]"),
        (
            "concat",
            {"values": [IMAGE], "axis": torch.tensor(0), "interleave": torch.tensor(True)},
            "interleave is True",
        ),
        ("concat", {"values": [ONE, ONE.half()], "axis": torch.tensor(0)}, "joins"),
        ("split", {"x": IMAGE, "axis": torch.tensor(1), "num_splits": torch.tensor(3)}, "how to split"),
        ("squeeze", {"x": IMAGE, "axes": torch.tensor([1])}, r"removes the axes \[1\]"),
        (
            "slice_by_index",
            {
                "x": INT8,
                "begin": torch.tensor([0, 2]),
                "end": torch.tensor([1, 0]),
                "stride": torch.tensor([1, -1]),
            },
            r"stride is \[1, -1\]",
        ),
        (
            "constexpr_blockwise_shift_scale",
            {"data": INT8, "scale": torch.ones(2, 2)},
            r"\[2, 2\] scales do not divide \[2, 3\]",
        ),
        (
            "constexpr_lut_to_dense",
            {"indices": INT8, "lut": torch.ones(1, 1, 4, 2), "vector_axis": torch.tensor(0)},
            "vectors of 2",
        ),
    ],
)
def test_what_is_not_implemented_is_refused(op_type, arguments, message):
    with pytest.raises(UserError, match=message):
        compute(op_type, arguments)
