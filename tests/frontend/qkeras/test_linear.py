"""quantized_linear, which came after qkeras 0.9.0, against its definition; where it is quantized_bits, against that."""

import numpy as np
import pytest

from gatewright.frontend.qkeras import from_config
from gatewright.frontend.qkeras.numbers import real_values
from gatewright.graph import Affine, Fixed, Graph, Node, evaluate
from gatewright.graph.ops import Input, Output

X = (np.arange(-700, 700) / 64).astype(np.float32)
W = np.random.default_rng(3).normal(0, 0.4, (6, 3, 5)).astype(np.float32)
SIZES = [(bits, integer, keep) for bits in (2, 4, 8) for integer in (0, 2) for keep in (True, False)]


def applied(name, **parameters):
    source = Node(Input("x", ()))
    node = from_config(name, parameters).nodes(source, "q")
    return evaluate(Graph((source,), (Node(Output("y"), (node,)),)), X)


@pytest.mark.parametrize("symmetric", [0, 1])
@pytest.mark.parametrize(("bits", "integer", "keep"), SIZES)
def test_without_alpha_it_is_quantized_bits(bits, integer, keep, symmetric):
    same = {"bits": bits, "integer": integer, "keep_negative": keep, "symmetric": symmetric}
    np.testing.assert_array_equal(applied("quantized_linear", **same), applied("quantized_bits", alpha=1, **same))


def test_it_is_symmetric_unless_told_otherwise():
    assert applied("quantized_linear", bits=4).min() == -0.875
    assert applied("quantized_linear", bits=4, symmetric=0).min() == -1.0


@pytest.mark.parametrize("alpha", [0.5, 2.0, 0.3])
def test_alpha_is_part_of_the_spacing(alpha):
    scale = np.float32(np.float32(alpha) * np.float32(2.0**-2))
    expected = np.clip(np.rint(np.clip(X / scale, -7, 7)), -7, 7) * scale
    np.testing.assert_array_equal(
        applied("quantized_linear", bits=4, integer=1, alpha=alpha), expected.astype(np.float32)
    )


def test_one_bit_is_half_a_step_to_either_side():
    y = applied("quantized_linear", bits=1, integer=1)
    np.testing.assert_array_equal(y, np.where(X >= 0, 1.0, -1.0))


def definition(w, scale, low, high):
    """round(clip(w / scale)) * scale in float32."""
    return np.rint(np.clip((w / scale).astype(np.float32), low, high)).astype(np.float32) * scale


@pytest.mark.parametrize(("axis", "kept"), [(None, (0, 1)), (0, (1, 2)), (2, (0, 1))])
def test_auto_spans_the_widest_weight_of_each_channel(axis, kept):
    constant = from_config("quantized_linear", {"bits": 4, "alpha": "auto", "scale_axis": axis}).weights(W, "w")
    scale = (np.abs(W).max(axis=kept, keepdims=True) * np.float32(2) / np.float32(14)).astype(np.float32)
    assert isinstance(constant.format, Affine)
    np.testing.assert_array_equal(real_values(constant), definition(W, scale, -7, 7))


@pytest.mark.parametrize("symmetric", [0, 1])
def test_auto_without_negatives(symmetric):
    parameters = {"bits": 3, "alpha": "auto", "keep_negative": False, "symmetric": symmetric}
    constant = from_config("quantized_linear", parameters).weights(W, "w")
    scale = (W.max(axis=(0, 1), keepdims=True) / np.float32(7)).astype(np.float32)
    np.testing.assert_array_equal(real_values(constant), definition(W, scale, 0, 7))
    assert not constant.format.signed


def test_auto_po2_settles_on_the_power_of_two_nearest_to_least_squares():
    constant = from_config("quantized_linear", {"bits": 4}).trainable().weights(W, "w")
    assert isinstance(constant.format, Fixed)
    scale = np.ldexp(
        1.0, np.broadcast_to(np.asarray(getattr(constant.format.integer, "data", constant.format.integer)) - 4, 5)
    )
    units = np.rint(np.clip(W / scale, -7, 7))
    np.testing.assert_array_equal(real_values(constant), units * scale)
    best = (W * units).mean(axis=(0, 1)) / (units * units).mean(axis=(0, 1))
    np.testing.assert_array_equal(np.exp2(np.rint(np.log2(best))), scale)
