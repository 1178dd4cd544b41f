import numpy as np
import pytest
from mil_packages import build, edit, operation, quiet, save

from deploy.ios.mil_program import load_program
from deploy.ios.mil_values import TensorType, _from_bytes, unpack

pytest.importorskip("coremltools")

KERNEL = np.random.default_rng(0).normal(size=(16, 8, 3, 3)).astype(np.float32)
MATRIX = np.random.default_rng(1).normal(size=(24, 16)).astype(np.float32)


def two_layers(mb, x, y):
    return mb.conv(x=x, weight=KERNEL), mb.linear(x=y, weight=MATRIX, bias=np.ones(24, np.float32))


@pytest.fixture(scope="module", params=["iOS16", "iOS18"])
def model(request):
    return request.param, build(two_layers, (1, 8, 4, 4), (1, 16), target=request.param)


def compressions(ct_optimize, target):
    """Name → (compressed by, MIL's type of the stored elements)."""
    linear, palette = ct_optimize.OpLinearQuantizerConfig, ct_optimize.OpPalettizerConfig
    both = {
        "int8": (linear(mode="linear_symmetric", dtype="int8"), "int8"),
        "uint8 affine": (linear(mode="linear", dtype="uint8"), "uint8"),
        **{
            f"palette of {bits} bits": (
                palette(mode="uniform", nbits=bits),
                "uint8" if target == "iOS16" else f"uint{bits}",
            )
            for bits in (1, 2, 4, 6, 8)
        },
    }
    if target == "iOS16":
        return both
    blocks = {"granularity": "per_block", "block_size": 4}
    return both | {
        "int4": (linear(mode="linear_symmetric", dtype="int4"), "int4"),
        "uint4 affine": (linear(mode="linear", dtype="uint4"), "uint4"),
        "int4 blocks": (linear(mode="linear_symmetric", dtype="int4", **blocks), "int4"),
        "uint4 affine blocks": (linear(mode="linear", dtype="uint4", **blocks), "uint4"),
        "one scale": (linear(mode="linear_symmetric", dtype="int8", granularity="per_tensor"), "int8"),
        "palettes of groups": (
            palette(mode="uniform", nbits=3, granularity="per_grouped_channel", group_size=4),
            "uint3",
        ),
    }


def test_compressed_weights_are_those_of_coremltools(model, tmp_path):
    import coremltools.optimize.coreml as ct_optimize

    target, plain = model
    for number, (name, (config, dtype)) in enumerate(compressions(ct_optimize, target).items()):
        config.weight_threshold = 0
        method = ct_optimize.palettize_weights if "palette" in name else ct_optimize.linear_quantize_weights
        with quiet():
            compressed = method(plain, ct_optimize.OptimizationConfig(global_config=config))
            expected = ct_optimize.decompress_weights(compressed)
        folders = [tmp_path / f"{number}{kind}" for kind in "ab"]
        found = load_program(save(compressed, folders[0])).weights()
        wanted = load_program(save(expected, folders[1])).weights()
        assert [weight.op_type for weight in found] == ["conv", "linear"], name
        for one, other, original in zip(found, wanted, (KERNEL, MATRIX), strict=True):
            assert one.dtype == dtype and one.storage.startswith("constexpr_") and other.storage == "const", name
            np.testing.assert_array_equal(one.values, other.values, err_msg=name)
            assert 0 < np.abs(one.values - original).max() < np.abs(original).max(), name
            assert (one.palette is None) == ("palette" not in name)
            if one.levels is not None:
                assert one.levels.shape == original.shape
                assert one.scale.shape == one.zero_point.shape
                assert one.zero_point.any() == ("affine" in name), name


def test_a_changed_scale_changes_the_values(model, tmp_path):
    import coremltools.optimize.coreml as ct_optimize

    config = ct_optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", weight_threshold=0, granularity="per_tensor"
    )
    target, plain = model
    with quiet():
        compressed = ct_optimize.linear_quantize_weights(
            plain, ct_optimize.OptimizationConfig(global_config=config)
        )
    path = save(compressed, tmp_path)
    before = load_program(path).weights()[0]

    def double_scale(spec):
        if target == "iOS16":
            value = operation(spec, "constexpr_affine_dequantize").attributes["scale"]
        else:
            value = operation(spec, "constexpr_blockwise_shift_scale").inputs["scale"].arguments[0].value
        value.immediateValue.tensor.floats.values[0] *= 2

    after = load_program(edit(path, double_scale)).weights()[0]
    assert after.scale is not None and before.scale is not None
    np.testing.assert_array_equal(after.values, before.values * 2)
    np.testing.assert_array_equal(after.scale, before.scale * 2)


def test_fields_of_less_than_a_byte_are_packed_from_the_lowest_bit():
    # The example in the documentation of constexpr_lut_to_dense: 2 bits, five elements.
    assert unpack(np.array([0b01101100, 0b11], np.uint8), 2, 5).tolist() == [0, 3, 2, 1, 3]
    assert unpack(np.array([0b01000001, 0b10000010, 0b00010000], np.uint8), 6, 4).tolist() == [1, 9, 8, 4]
    assert _from_bytes(bytes([0x8F, 0x07]), TensorType("int4", (3,))).tolist() == [-1, -8, 7]
    assert _from_bytes(bytes([0x8F, 0x07]), TensorType("uint4", (3,))).tolist() == [15, 8, 7]
    assert _from_bytes(bytes([0, 0x3C]), TensorType("fp16", (1,))).tolist() == [1.0]
