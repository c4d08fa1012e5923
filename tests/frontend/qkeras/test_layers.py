"""Models of qkeras layers against their recorded answers: exact, though most end in a float tensor."""

import json
from pathlib import Path

import numpy as np
import pytest

from gatewright.frontend import load
from gatewright.graph import Fixed, Float, GatewrightError, Graph, UnsupportedError, evaluate
from gatewright.graph.ops import Constant, Scan

with np.load(Path(__file__).parents[2] / "data" / "qkeras" / "layers.npz") as file:
    RECORDED = {key: file[key] for key in file.files}
PLAIN = "dense_unquantized_bias"
NAMES = sorted({key.partition("/")[0] for key in RECORDED})


def configuration(name):
    return json.loads(str(RECORDED[f"{name}/config"]))


def imported(name, folder, config=None) -> Graph:
    """A recorded model, as json and weights."""
    (folder / "model.json").write_text(json.dumps(config or configuration(name)))
    (folder / "weights.h5").write_bytes(RECORDED[f"{name}/h5"].tobytes())
    return load(folder / "model.json", weights=folder / "weights.h5")


@pytest.mark.parametrize("name", NAMES)
def test_same_values_as_qkeras(name, tmp_path):
    graph = imported(name, tmp_path)
    np.testing.assert_array_equal(evaluate(graph, RECORDED[f"{name}/x"]), RECORDED[f"{name}/y"])


def quantized_attributes(config):
    """Each (layer, its configuration) of qkeras in a model."""
    return [layer for layer in config["config"]["layers"] if layer["class_name"].startswith("Q")]


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_that_is_not_known_is_refused(name, tmp_path):
    for i in range(len(quantized_attributes(configuration(name)))):
        config = configuration(name)
        layer = quantized_attributes(config)[i]
        layer["config"]["colour"] = "red"
        with pytest.raises(GatewrightError, match=rf"{layer['config']['name']}.*'colour' = 'red'"):
            imported(name, tmp_path, config)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_of_a_quantizer_that_is_not_known_is_refused(name, tmp_path):
    config = configuration(name)
    found = [
        value
        for layer in quantized_attributes(config)
        for key, value in layer["config"].items()
        if (key.endswith("_quantizer") or key == "activation") and isinstance(value, dict) and "bits" in value["config"]
    ]
    if not found:
        assert name in WITHOUT
    for value in found:
        value["config"]["colour"] = "red"
        with pytest.raises(GatewrightError, match="'colour' = 'red'"):
            imported(name, tmp_path, config)
        del value["config"]["colour"]


WITHOUT = ("average_plain", "batchnorm_plain", "dense_binary", "rnn_both")
"""Models whose quantizers, if any, have no bits to tell them by."""


def changed(name, layer=0, **changes):
    """A recorded configuration with other attributes of a qkeras layer; None deletes one."""
    config = configuration(name)
    attributes = quantized_attributes(config)[layer]["config"]
    attributes.update({key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        attributes.pop(key, None)
    return config


def quantizer(text):
    name, _, rest = text.partition("(")
    keys = dict(item.split("=") for item in rest.rstrip(")").split(",") if item)
    return {"class_name": name, "config": {k: json.loads(v) for k, v in keys.items()}}


def test_no_alpha_on_a_kernel_is_auto_po2(tmp_path):
    free = imported(PLAIN, tmp_path, changed(PLAIN, kernel_quantizer="quantized_bits(4,0)"))
    text = "quantized_bits(4,0,1,alpha='auto_po2')"
    said = imported(PLAIN, tmp_path, changed(PLAIN, kernel_quantizer=text))
    one = imported(PLAIN, tmp_path)
    assert str(free) == str(said) != str(one)


def test_configurations_of_older_versions_lack_keys(tmp_path):
    """qkeras 0.7 and 0.8 stored neither the noise factor nor what came later; layers had no kernel_range before 0.7."""
    old = {
        "class_name": "quantized_bits",
        "config": {"bits": 4, "integer": 0, "symmetric": 0, "alpha": 1, "keep_negative": True},
    }
    config = changed(PLAIN, kernel_quantizer=old, kernel_range=None, bias_range=None)
    np.testing.assert_array_equal(
        evaluate(imported(PLAIN, tmp_path, config), RECORDED[f"{PLAIN}/x"]),
        RECORDED[f"{PLAIN}/y"],
    )


def test_names_with_a_package_mean_the_same(tmp_path):
    config = configuration("dense")
    for layer in quantized_attributes(config):
        layer["class_name"] = f"qkeras>{layer['class_name']}"
        layer["registered_name"] = f"qkeras>{layer['class_name']}"
    np.testing.assert_array_equal(
        evaluate(imported("dense", tmp_path, config), RECORDED["dense/x"]), RECORDED["dense/y"]
    )


def test_a_dense_layer_with_batch_normalization_is_a_convolution_of_one_pixel(tmp_path):
    """qkeras 0.9.0 as published has no QDenseBatchnorm; what it became is QConv2DBatchnorm with a product instead."""
    config = configuration("conv2d_batchnorm_pixel")
    layer = quantized_attributes(config)[0]
    gone = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups")
    attributes = {key: value for key, value in layer["config"].items() if key not in gone}
    layer["class_name"], layer["config"] = "QDenseBatchnorm", {**attributes, "units": 5, "axis": [1]}
    for entry in config["config"]["layers"]:
        entry["config"].pop("batch_input_shape", None)
    config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 6]
    from gatewright.frontend.keras import registry

    assert "QDenseBatchnorm" in registry.LAYERS
    (tmp_path / "model.json").write_text(json.dumps(config))
    (tmp_path / "weights.h5").write_bytes(RECORDED["conv2d_batchnorm_pixel/h5"].tobytes())
    import h5py

    with h5py.File(tmp_path / "weights.h5", "r+") as store:
        (name,) = [n for n in store if "batchnorm" in n]
        kernel = store[name][name]["kernel:0"][()]
        del store[name][name]["kernel:0"]
        store[name][name]["kernel:0"] = kernel[0, 0]
    graph = load(tmp_path / "model.json", weights=tmp_path / "weights.h5")
    x, y = RECORDED["conv2d_batchnorm_pixel/x"], RECORDED["conv2d_batchnorm_pixel/y"]
    np.testing.assert_array_equal(evaluate(graph, x[:, 0, 0]), y[:, 0, 0])


@pytest.mark.parametrize(
    ("name", "changes", "what"),
    [
        ("dense", {"kernel_quantizer": quantizer("bernoulli()")}, "random"),
        ("dense", {"kernel_quantizer": quantizer("quantized_bits(qnoise_factor=0.5)")}, "qnoise_factor"),
        ("dense", {"activation": "quantized_bits(4,0,alpha='auto')"}, "each batch"),
        ("dense", {"activation": "stochastic_round"}, "random"),
        ("conv2d_batchnorm", {"folding_mode": "other"}, "folding_mode"),
        ("conv2d_batchnorm", {"renorm": True}, "renorm"),
        ("conv2d_batchnorm", {"axis": [1]}, "axis"),
        ("conv2d_batchnorm", {"data_format": "channels_first"}, "data_format"),
        ("batchnorm", {"inverse_quantizer": "quantized_bits(8)"}, "inverse_quantizer"),
        ("average", {"average_quantizer": "quantized_bits(4,0,alpha='auto_po2')"}, "single number"),
    ],
)
def test_what_is_refused(name, changes, what, tmp_path):
    layer = next(i for i, v in enumerate(quantized_attributes(configuration(name))) if v["class_name"] != "QActivation")
    with pytest.raises(GatewrightError, match=r"(?s).*" + what):
        imported(name, tmp_path, changed(name, layer, **changes))


def test_folding_without_a_beta_is_refused_as_qkeras_fails(tmp_path):
    import h5py

    imported("conv2d_batchnorm", tmp_path)
    config = changed("conv2d_batchnorm", center=False)
    (tmp_path / "model.json").write_text(json.dumps(config))
    with h5py.File(tmp_path / "weights.h5", "r+") as store:
        (name,) = [n for n in store if "batchnorm" in n]
        names = [n for n in store[name].attrs["weight_names"] if "beta" not in str(n)]
        store[name].attrs["weight_names"] = np.array(names, "S")
    with pytest.raises(UnsupportedError, match="'center' = False"):
        load(tmp_path / "model.json", weights=tmp_path / "weights.h5")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("dense_auto_po2", "kernel"),
        ("dense_auto", "kernel"),
        ("dense_po2", "kernel"),
        ("dense", "bias"),
        ("batchnorm", "gamma"),
        ("conv2d_batchnorm", "moving_variance"),
        ("conv2d_batchnorm", "kernel"),
        ("batchnorm_bits", "moving_variance"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(name, weight, value, tmp_path):
    import h5py

    imported(name, tmp_path)
    with h5py.File(tmp_path / "weights.h5", "r+") as store:
        found = []
        store.visititems(lambda path, _: found.append(path) if path.endswith(f"{weight}:0") else None)
        store[found[0]][...] = value
    with pytest.raises(GatewrightError, match=r"NaN|not positive"):
        load(tmp_path / "model.json", weights=tmp_path / "weights.h5")


@pytest.mark.parametrize("class_name", ["QAdaptiveActivation", "QLSTMCell"])
def test_layers_that_are_refused(class_name, tmp_path):
    config = configuration("dense")
    quantized_attributes(config)[1]["class_name"] = class_name
    with pytest.raises(UnsupportedError, match=class_name):
        imported("dense", tmp_path, config)


def test_a_gru_whose_recurrent_kernel_qkeras_does_not_use_is_refused(tmp_path):
    config = configuration("rnn_gru")
    quantized_attributes(config)[0]["config"]["recurrent_quantizer"] = None
    with pytest.raises(UnsupportedError, match="kernel of the inputs"):
        imported("rnn_gru", tmp_path, config)


def test_without_a_quantizer_a_mixed_state_stays_real(tmp_path):
    """The state of rnn_gru is quantized before each step: an integer. Without, it is a sum that grows."""
    formats = []
    for quantizer in (quantized_attributes(configuration("rnn_gru"))[0]["config"]["state_quantizer"], None):
        config = configuration("rnn_gru")
        quantized_attributes(config)[0]["config"]["state_quantizer"] = quantizer
        (scan,) = (node.op for node in imported("rnn_gru", tmp_path, config).nodes if isinstance(node.op, Scan))
        formats.append(scan.body.inputs[1].type.format)
    assert [type(f) for f in formats] == [Fixed, Float]


def test_quantized_weights_are_integers(tmp_path):
    graph = imported("conv2d", tmp_path)
    constants = [node for node in graph.nodes if isinstance(node.op, Constant)]
    assert [str(node.type.format) for node in constants] == ["fixed<4,1>", "fixed<4,1>"]
    assert {node.where for node in constants} == {"q_conv2d/kernel", "q_conv2d/bias"}


def test_integers_stay_integers_behind_a_quantizer(tmp_path):
    graph = imported("average", tmp_path)
    assert not any(isinstance(n.type.format, Float) for n in graph.nodes if n not in graph.inputs)
    assert isinstance(graph.outputs[0].type.format, Fixed)


def test_notes_say_where_float32_is_not_exact(tmp_path):
    (note,) = imported("dense_auto", tmp_path).notes
    assert "kernel" in note
    assert "float32" in note
    assert imported("conv2d", tmp_path).notes == ()
    config = changed(PLAIN, activation="quantized_tanh(5,use_real_tanh=1)")
    (note,) = imported(PLAIN, tmp_path, config).notes
    assert "tie" in note
