"""What is random, mixes floats in or is not known is refused, with the reason."""

import numpy as np
import pytest

from gatewright.frontend.qkeras import QUANTIZERS, from_config, quantizer_of
from gatewright.graph import GatewrightError, Node, UnsupportedError
from gatewright.graph.ops import Input

X = Node(Input("x", (4,)))


@pytest.mark.parametrize("name", QUANTIZERS)
def test_every_quantizer_refuses_a_parameter_that_it_does_not_know(name):
    with pytest.raises(UnsupportedError, match="'colour' = 'red'"):
        from_config(name, {"colour": "red"})


@pytest.mark.parametrize("name", [n for n in QUANTIZERS if "qnoise_factor" in QUANTIZERS[n].parameters])
def test_noise_is_refused(name):
    with pytest.raises(UnsupportedError, match="qnoise_factor"):
        from_config(name, {"qnoise_factor": 0.5})


@pytest.mark.parametrize(("name", "parameters", "what"), [
    ("bernoulli", {"alpha": 1}, "random"),
    ("quantized_bit", {}, "did you mean 'quantized_bits'"),
    ("quantized_bits", {"bits": 0}, "'bits' = 0"),
    ("quantized_bits", {"bits": 4.5}, "'bits' = 4.5"),
    ("quantized_bits", {"alpha": "automatic"}, "'alpha' = 'automatic'"),
    ("quantized_bits", {"alpha": -1}, "above zero"),
    ("quantized_bits", {"alpha": [[1.0], [2.0]]}, "one scale a channel"),
    ("quantized_bits", {"symmetric": 2}, "'symmetric' = 2"),
    ("quantized_bits", {"scale_axis": [0, 1]}, "'scale_axis'"),
    ("quantized_bits", {"post_training_scale": 0.5}, "post_training_scale"),
    ("quantized_relu", {"negative_slope": 0.3}, "power of two"),
    ("quantized_relu", {"negative_slope": -0.5}, "power of two"),
    ("quantized_po2", {"max_value": -1}, "max_value"),
    ("quantized_po2", {"bits": 1}, "2 .the signs. to 9"),
    ("quantized_relu_po2", {"bits": 9}, "1 .the signs. to 8"),
    ("quantized_po2", {"log2_rounding": "ceil"}, "log2_rounding"),
    ("quantized_hswish", {"relu_upper_bound": 0}, "above 0"),
    ("quantized_tanh", {"bits": 30}, "at most 24"),
    ("binary", {"use_stochastic_rounding": True}, "fails"),
    ("ternary", {"use_stochastic_rounding": True, "alpha": 1}, "automatic alpha"),
])  # fmt: skip
def test_what_is_refused(name, parameters, what):
    with pytest.raises(UnsupportedError, match=r"(?s).*" + what):
        from_config(name, parameters, where="m.h5: layer")


@pytest.mark.parametrize("name", ["quantized_bits", "quantized_linear", "binary", "ternary", "quantized_hswish"])
def test_a_scale_from_the_data_is_refused_on_an_activation(name):
    for alpha in ("auto", "auto_po2"):
        with pytest.raises(UnsupportedError, match="each batch"):
            from_config(name, {"alpha": alpha}).nodes(X, "q")


def test_a_scale_from_one_number_is_refused():
    with pytest.raises(UnsupportedError, match="single number"):
        from_config("quantized_bits", {"alpha": "auto"}).weights(np.float32(0.25), "w")


def test_one_bit_with_a_scale_of_its_own_divides_by_zero():
    with pytest.raises(UnsupportedError, match="divides by zero"):
        from_config("quantized_bits", {"bits": 1, "alpha": "auto"}).weights(np.float32([[1, 2]]), "w")


def test_a_threshold_besides_an_automatic_scale_is_refused():
    with pytest.raises(UnsupportedError, match="chooses the threshold itself"):
        from_config("ternary", {"threshold": 0.5}).trainable().weights(np.float32([[1, 2]]), "w")


@pytest.mark.parametrize(("text", "same"), [
    ("quantized_bits(4,0,1)", {"bits": 4, "integer": 0, "symmetric": 1}),
    ("quantized_bits(4, 2, alpha='auto_po2', keep_negative=False)",
     {"bits": 4, "integer": 2, "alpha": "auto_po2", "keep_negative": False}),
    ("quantized_bits", {}),
    ("quantized_bits()", {}),
    (" quantized_bits(bits=3, alpha=0.5)", {"bits": 3, "alpha": 0.5}),
    ("quantized_bits(8,0,0,1,1.0)", {"bits": 8, "alpha": 1.0}),
])  # fmt: skip
def test_text_means_the_same_as_a_configuration(text, same):
    assert quantizer_of(text) == quantizer_of({"class_name": "quantized_bits", "config": same})


@pytest.mark.parametrize("text", [
    "quantized_bits(4", "quantized_bits(4)(5)", "quantized_bits(open('x'))", "quantized_bits(*[1])", "1 + 1", "",
    "quantized_bits(4, bits=4)", "quantized_bits(1,2,3,4,5,6,7,8,9,10,11,12)", "q.quantized_bits(4)",
    "quantized_bits(__import__('os'))", "quantized_bits(**{})", "quantized_bits(4)\n\0",
    "quantized_bits(" + "(" * 400 + ")" * 400 + ")", "x" * 5000,
])  # fmt: skip
def test_text_is_never_evaluated(text):
    with pytest.raises(GatewrightError):
        quantizer_of(text)


@pytest.mark.parametrize(
    "identifier", [5, ["quantized_bits"], {"class_name": 3}, {"class_name": "quantized_bits", "config": [1]}]
)
def test_what_is_no_quantizer(identifier):
    with pytest.raises(UnsupportedError):
        quantizer_of(identifier)


def test_none_is_no_quantizer():
    assert quantizer_of(None) is None
