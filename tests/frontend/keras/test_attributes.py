"""Nothing is silently dropped: each supported layer refuses an attribute that it does not know, and names it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright import lower
from gatewright.frontend.attributes import Attributes
from gatewright.frontend.keras.assemble import assemble
from gatewright.frontend.keras.config import APPLICATIONS, parse
from gatewright.frontend.keras.registry import ACTIVATIONS, LAYERS, Dialect
from gatewright.graph import Graph, ManyErrors, ShapeError, UnsupportedError

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Dense": {"units": 2},
    "BinaryDense": {"units": 2},
    "Conv1D": {"filters": 2, "kernel_size": 3},
    "Conv2D": {"filters": 2, "kernel_size": [3, 3]},
    "DepthwiseConv1D": {"kernel_size": 3},
    "DepthwiseConv2D": {"kernel_size": [3, 3]},
    "SeparableConv1D": {"filters": 2, "kernel_size": 3},
    "SeparableConv2D": {"filters": 2, "kernel_size": [3, 3]},
    "Conv1DTranspose": {"filters": 2, "kernel_size": 3},
    "Conv2DTranspose": {"filters": 2, "kernel_size": [3, 3]},
    "Activation": {"activation": "relu"},
    "Reshape": {"target_shape": [-1]},
    "Permute": {"dims": [2, 1]},
    "RepeatVector": {"n": 2},
    "Dot": {"axes": 1},
    "TimeDistributed": {"layer": {"class_name": "Dense", "config": {"name": "inner", "units": 2}}},
    "Normalization": {"mean": 0.0, "variance": 1.0},
    **{n: {"units": 2} for n in ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")},
    **{f"ConvLSTM{rank}D": {"filters": 2, "kernel_size": 2} for rank in (1, 2, 3)},
    "RNN": {"cell": {"class_name": "GRUCell", "config": {"name": "cell", "units": 2}}},
    "Bidirectional": {"layer": {"class_name": "LSTM", "config": {"name": "one", "units": 2}}},
    "Conv3D": {"filters": 2, "kernel_size": 2},
    "Conv3DTranspose": {"filters": 2, "kernel_size": 2},
    "GroupNormalization": {"groups": 3},
    "LocallyConnected1D": {"filters": 2, "kernel_size": 2},
    "LocallyConnected2D": {"filters": 2, "kernel_size": 2},
    "SpectralNormalization": {"layer": {"class_name": "Dense", "config": {"name": "inner", "units": 2}}},
    "Resizing": {"height": 3, "width": 4},
    "CenterCrop": {"height": 3, "width": 2},
    "keras.applications>LayerScale": {"projection_dim": 3},
    "keras.applications>CustomScaleLayer": {"scale": 0.5},
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": [None, 2]},
    "Embedding": {"input_dim": 4, "output_dim": 2},
    "CategoryEncoding": {"num_tokens": 4},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "GroupQueryAttention": {"num_query_heads": 2, "num_key_value_heads": 1, "head_dim": 2},
    "GroupedQueryAttention": {"num_query_heads": 2, "num_key_value_heads": 1, "head_dim": 2},
    **{f"Adaptive{kind}Pooling{r}D": {"output_size": 2} for kind in ("Max", "Average") for r in (1, 2, 3)},
    **{f"{kind}Pooling{rank}D": {"pool_size": 2} for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"{kind}Pool{rank}D": {"pool_size": 2} for kind in ("Max", "Avg") for rank in (1, 2, 3)},
}
OWN = sorted(
    n
    for n, kind in LAYERS.items()
    if kind.build.__module__.startswith("gatewright.frontend.keras") and n != "InputLayer" and not kind.function
)
SEVERAL = ("MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention")
PAIRS = (
    "Attention", "AdditiveAttention", "Subtract", "Dot", "Add", "Multiply", "Average", "Maximum", "Minimum",
    "Concatenate", "keras.applications>CustomScaleLayer",
)  # fmt: skip


def shape_for(name: str) -> list[Any]:
    if name in ("Flatten", "Dense", "BinaryDense", "RepeatVector", "Dot", "Embedding", "CategoryEncoding"):
        return [None, 6]
    if name.startswith("ConvLSTM"):
        return [None, 3, *[4] * int(name[-2]), 2]
    if "3D" in name and name != "SpatialDropout3D":
        return [None, 6, 6, 6, 3]
    if name in ("Resizing", "CenterCrop"):
        return [None, 6, 6, 3]
    return [None, 6, 6, 3] if "2D" in name and name != "SpatialDropout2D" else [None, 6, 3]


def written(name: str) -> dict[str, str]:
    """How a file writes a class: those of keras.applications with the module that defines them."""
    package, _, plain = name.rpartition(">")
    module = {"module": f"keras.src.applications.{APPLICATIONS[plain]}"} if package else {}
    return {"class_name": plain, **module}


def built(name: str, config: dict[str, Any], dialect: Dialect = Dialect.KERAS3, node: Any = None) -> Graph:
    """Assemble a model of one layer; the fixture below gives it weights."""
    inputs = ["a", "b"] if name in PAIRS else ["a"]
    args = [{"class_name": "__keras_tensor__", "config": {"keras_history": [i, 0, 0]}} for i in inputs]
    first = args if len(args) > 1 else args[0]
    call = node or {"args": [first, first] if name in SEVERAL else [first], "kwargs": {}}
    layers = [
        *({"class_name": "InputLayer", "config": {"name": i, "batch_shape": shape_for(name)}} for i in inputs),
        {**written(name), "config": {"name": "it", **config}, "inbound_nodes": [call]},
    ]
    model = {"name": "m", "layers": layers, "input_layers": [[i, 0, 0] for i in inputs], "output_layers": ["it", 0, 0]}
    root = parse({"class_name": "Functional", "config": model}, "file.keras")
    return assemble(root, {}, dialect, "file.keras")


@pytest.fixture(autouse=True)
def _weights_of_any_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewright.frontend.keras.registry import Layer

    monkeypatch.setattr(Layer, "array", lambda self, name, shape: np.ones(shape, np.float32))


@pytest.mark.parametrize("name", OWN)
def test_without_it_the_layer_imports(name: str) -> None:
    assert built(name, ARGUMENTS.get(name, {})).outputs


@pytest.mark.parametrize("name", OWN)
def test_an_unknown_attribute_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        built(name, {**ARGUMENTS.get(name, {}), "sparkle": 42})
    assert "'sparkle' = 42" in caught.value.what
    assert caught.value.where == f"file.keras: it ({name.rpartition('>')[2]})"
    assert caught.value.hint


@pytest.mark.parametrize("name", OWN)
def test_an_unknown_argument_of_the_call_is_refused(name: str) -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    arg = [tensor, tensor] if name in PAIRS else tensor
    args = [arg, arg] if name in SEVERAL else [arg]
    with pytest.raises(UnsupportedError, match="sparkle"):
        built(name, ARGUMENTS.get(name, {}), node={"args": args, "kwargs": {"sparkle": 1}})


@pytest.mark.parametrize(
    "name", sorted(n for n in ACTIVATIONS if not n.startswith(("quantized", "stochastic", "binary", "ternary")))
)
def test_an_unknown_attribute_of_an_activation_is_refused(name: str) -> None:
    if ACTIVATIONS[name].__module__.startswith("gatewright.frontend.qkeras"):
        pytest.skip("tested with the quantizers")
    with pytest.raises(UnsupportedError, match="'sparkle' = 42"):
        built("Activation", {"activation": {"class_name": name, "config": {"sparkle": 42}}})


WRONG = [
    ("Conv2D", {"padding": "full"}, "padding"),
    ("Conv2D", {"data_format": "channels_middle"}, "data_format"),
    ("Conv2D", {"strides": [0, 1]}, "strides"),
    ("Conv2D", {"strides": [2, 2], "dilation_rate": [2, 2]}, "dilation_rate"),
    ("Conv2D", {"kernel_size": [3]}, "kernel_size"),
    ("Conv2D", {"filters": "many"}, "filters"),
    ("Conv2D", {"activation": "hyperbolic"}, "activation"),
    ("Conv2D", {"dtype": "float8"}, "dtype"),
    ("Conv2D", {"dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float8"}}}, "dtype"),
    ("Dense", {"dtype": {"class_name": "QuantizedDTypePolicy", "config": {"name": "int8"}}}, "dtype"),
    ("Dense", {"quantization_config": {"mode": "int8"}}, "quantization_config"),
    ("BatchNormalization", {"axis": 0}, "axis"),
    ("BatchNormalization", {"axis": 7}, "axis"),
    ("BatchNormalization", {"axis": [1, 2]}, "axis"),
    ("BatchNormalization", {"renorm": True}, "renorm"),
    ("BatchNormalization", {"epsilon": "small"}, "epsilon"),
    ("LayerNormalization", {"axis": [1, 1]}, "axis"),
    ("UpSampling2D", {"interpolation": "bicubic"}, "interpolation"),
    ("ReLU", {"max_value": -1.0}, "max_value"),
    ("Permute", {"dims": [1, 1]}, "dims"),
    ("Cropping1D", {"cropping": [-1, 1]}, "cropping"),
    ("Reshape", {"target_shape": [0, -1]}, "target_shape"),
    ("Softmax", {"axis": 0}, "axis"),
    ("MaxPooling2D", {"padding": "causal"}, "padding"),
    ("LSTM", {"time_major": True}, "time_major"),
    ("LSTM", {"units": 0}, "units"),
    ("GRU", {"recurrent_activation": "hyperbolic"}, "recurrent_activation"),
    ("RNN", {"cell": {"class_name": "StackedRNNCells", "config": {"name": "c", "cells": 3}}}, "cells"),
    ("RNN", {"cell": {"class_name": "GRUCell", "config": {"name": "c", "units": 2, "sparkle": 1}}}, "sparkle"),
    ("Bidirectional", {"merge_mode": "max"}, "merge_mode"),
    ("ConvLSTM2D", {"strides": 2, "dilation_rate": 2}, "dilation_rate"),
    ("EinsumDense", {"equation": "abc,ad->bcd", "output_shape": [3, 2]}, "equation"),
    ("EinsumDense", {"bias_axes": "z"}, "bias_axes"),
    ("EinsumDense", {"lora_rank": 2}, "lora_rank"),
    ("Embedding", {"quantization_config": {"mode": "int8"}}, "quantization_config"),
    ("CategoryEncoding", {"sparse": True}, "sparse"),
    ("Discretization", {"bin_boundaries": [2.0, 1.0]}, "bin_boundaries"),
    ("MultiHeadAttention", {"attention_axes": [3]}, "attention_axes"),
    ("AdaptiveMaxPooling2D", {"output_size": [0, 1]}, "output_size"),
]


@pytest.mark.parametrize(("name", "config", "attribute"), WRONG)
def test_a_value_without_a_meaning_is_refused(name: str, config: dict[str, Any], attribute: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{attribute}' = ") as caught:
        built(name, {**ARGUMENTS.get(name, {}), **config})
    assert "it (" in caught.value.where


IMPOSSIBLE = [
    ("Reshape", {"target_shape": [7]}),
    ("Cropping1D", {"cropping": [3, 3]}),
    ("Conv1D", {"filters": 2, "kernel_size": 9}),
    ("Conv1D", {"groups": 2}),
    ("RepeatVector", {"n": 1 << 60}),
    ("UpSampling2D", {"size": [1 << 30, 1 << 30]}),
    ("ZeroPadding2D", {"padding": 1 << 40}),
]


@pytest.mark.parametrize(("name", "config"), IMPOSSIBLE)
def test_what_does_not_fit_is_an_error_at_once(name: str, config: dict[str, Any]) -> None:
    with pytest.raises(ShapeError) as caught:
        built(name, {**ARGUMENTS.get(name, {}), **config})
    assert "it" in caught.value.where


@pytest.mark.parametrize("name", ["Lambda", "StringLookup", "MyOwnLayer", "TFOpLambda"])
def test_layers_that_are_not_supported_are_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(UnsupportedError, match=name) as caught:
        built(name, {})
    assert caught.value.hint


def test_training_calls_are_refused() -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    with pytest.raises(UnsupportedError, match="training"):
        built("Dropout", {"rate": 0.5}, node={"args": [tensor], "kwargs": {"training": True}})


def test_functions_of_keras_ops_are_not_taken_for_layers_of_the_same_name() -> None:
    start = {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4]}}
    layers = [start, {"class_name": "Dot", "module": "keras.src.ops.numpy", "config": {}}]
    root = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}, "f")
    with pytest.raises(UnsupportedError, match=r"keras\.src\.ops\.numpy\.Dot"):
        assemble(root, {}, Dialect.KERAS3, "f")


@pytest.mark.parametrize("readable", [True, False])
def test_problems_behind_a_layer_that_is_not_known_come_too(readable: bool) -> None:
    convolution = {"filters": 2, "kernel_size": [3, 3], "activation": "relu"}
    both = {"dilation_rate": [2, 2], "strides": [2, 2]}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 9, 9, 1]}},
        {"class_name": "Conv2D", "config": {"name": "one", **convolution, "padding": "sane"}},
        {"class_name": "Lambda", "config": {"name": "two"}},
        {"class_name": "Conv2D", "config": {"name": "three", **convolution, **both}},
        {"class_name": "Frobnicate", "config": {"name": "four"}},
        {"class_name": "Flatten", "config": {"name": "fine"}},
        {"class_name": "Dense", "config": {"name": "five", "units": 2, "sparkle": 3}},
    ]
    root = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}, "f")
    with pytest.raises(ManyErrors) as caught:
        assemble(root, {} if readable else None, Dialect.KERAS3, "f")
    found = sorted((error.where, error.what) for error in caught.value.errors)
    wanted = {
        "f: one (Conv2D)": "'padding' = 'sane'", "f: two (Lambda)": "Lambda", "f: three (Conv2D)": "'dilation_rate' =",
        "f: four (Frobnicate)": "Frobnicate", "f: five (Dense)": "'sparkle' = 3",
    }  # fmt: skip
    assert [where for where, _ in found] == sorted(wanted)
    assert all(wanted[where] in what for where, what in found)
    assert all(error.hint for error in caught.value.errors)


def test_all_problems_of_a_model_come_at_once() -> None:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4]}},
        {"class_name": "Dense", "config": {"name": "one", "units": 2, "sparkle": 1, "glitter": 2}},
        {"class_name": "Dense", "config": {"name": "two", "units": 2, "dtype": "float8"}},
    ]
    root = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}, "f")
    weights = {e: {"kernel": np.ones(1), "bias": np.ones(1)} for e in root.children[1:]}
    with pytest.raises(ManyErrors) as caught:
        assemble(root, weights, Dialect.KERAS3, "f")
    text = str(caught.value)
    assert "sparkle" in text
    assert "glitter" in text
    assert "float8" in text


def test_hard_sigmoid_differs_between_the_frameworks() -> None:
    texts = [str(built("Activation", {"activation": "hard_sigmoid"}, dialect)) for dialect in Dialect]
    assert texts[0] != texts[1]
    assert "(0.2, 0.5)" in texts[1]


def test_attributes_read_with_a_wrong_type_are_refused() -> None:
    attributes = Attributes({"n": True, "f": "x", "t": 3, "l": [1, "2"], "inf": 1e400}, where="w")
    for read in (
        lambda: attributes.integer("n"),
        lambda: attributes.real("f"),
        lambda: attributes.text("t"),
        lambda: attributes.integers("l", 2),
        lambda: attributes.real("inf"),
        lambda: attributes.boolean("t"),
        lambda: attributes.take("gone"),
    ):
        with pytest.raises(UnsupportedError, match="attribute"):
            read()
    attributes.done()


def test_attributes_left_alone_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="'b' = 2"), Attributes({"a": 1, "b": 2}) as attributes:
        attributes.take("a")


QUANTIZED = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}


@pytest.mark.parametrize("name", ["Dense", "EinsumDense"])
def test_inputs_that_are_quantized_by_their_own_range_are_not_lowered(name: str) -> None:
    """A scale that follows the data has no integer form, whatever formats are asked for."""
    graph = built(name, {**ARGUMENTS[name], "dtype": QUANTIZED})
    assert any("lowering refuses it" in note for note in graph.notes)
    with pytest.raises(UnsupportedError, match=rf"{name} quantized by Keras \(int8\) takes its scale from the data"):
        lower(graph, precision="fixed<16,6>")
    weights_only = {"class_name": "Int8QuantizationConfig", "config": {"activation_quantizer": None}}
    given = {**ARGUMENTS[name], "dtype": QUANTIZED, "quantization_config": weights_only}
    assert lower(built(name, given), precision="fixed<16,6>").is_integer
