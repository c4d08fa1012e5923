"""Train a network of the jet tagger's shape on made-up data: jet_tagger.h5 (Keras 3) and the same as jet_tagger.onnx.

    pip install '.[tensorflow]'
    python examples/train_jet_tagger.py

16 features -> 64 -> 32 -> 32 -> 5 classes is the shape of the jet tagger of Duarte et al. (2018, arXiv:1804.06913), the
usual first example of neural networks in FPGA triggers. *The data is not theirs*: it is drawn here from a seeded random
process with as many features and classes, so the accuracy says nothing about physics. The shape is what matters here.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # oneDNN sums in another order on another processor
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
FEATURES, CLASSES, HELD_OUT = 16, 5, 1000


def draw(samples: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw (x float32 [samples, 16], y uint8 [samples]): every class is a bent Gaussian cloud, and the clouds overlap.

    Features have about mean 0 and deviation 1, within +-8, in steps of 1/256: exact in ``fixed<16,6>``.
    """
    world = np.random.default_rng(2018)  # what the classes look like: the same for every draw
    centre = world.normal(size=(CLASSES, 6)) * 0.8
    mix, bend = world.normal(size=(2, 6, FEATURES)) / np.sqrt(6)
    chance = np.random.default_rng(seed)
    y = chance.integers(CLASSES, size=samples)
    hidden = centre[y] + 0.6 * chance.normal(size=(samples, 6))
    x = hidden @ mix + np.tanh(2 * hidden) @ bend + 0.3 * chance.normal(size=(samples, FEATURES))
    return (np.round(np.clip(x, -8, 8) * 256) / 256).astype(np.float32), y.astype(np.uint8)


def network() -> keras.Sequential:
    """Give the untrained network: [16] -> 5 probabilities; 4,389 parameters."""
    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.layers.Input((FEATURES,), name="features"),
            dense(64, activation="relu", name="fc1"),
            dense(32, activation="relu", name="fc2"),
            dense(32, activation="relu", name="fc3"),
            dense(CLASSES, activation="softmax", name="probabilities"),
        ],
        name="jet_tagger",
    )


def to_onnx(model: keras.Sequential) -> onnx.ModelProto:
    """Write a stack of Dense layers as ONNX: Gemm, then Relu or Softmax, named as the layers are."""
    nodes, weights, tensor = [], [], "features"
    for layer in model.layers:
        name, function = layer.name, layer.activation.__name__.capitalize()
        for part, values in zip(("kernel", "bias"), layer.get_weights(), strict=True):
            weights.append(numpy_helper.from_array(values, f"{name}.{part}"))
        gemm = f"{name}.sum"
        nodes.append(helper.make_node("Gemm", [tensor, f"{name}.kernel", f"{name}.bias"], [gemm], name=gemm))
        nodes.append(helper.make_node(function, [gemm], [name], name=name))
        tensor = name
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])
    result = helper.make_tensor_value_info(tensor, TensorProto.FLOAT, ["batch", CLASSES])
    graph = helper.make_graph(nodes, model.name, [given], [result], weights)
    # opset 13 and file version 8 are old enough for every ONNX tool in use
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def main() -> None:
    """Train, print the accuracy on new data, write both files and the new data."""
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()
    x, y = draw(20_000, seed=1)
    x_test, y_test = draw(HELD_OUT, seed=2)
    model = network()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 15 * len(x) // 128)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=15, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    model.save(HERE / "jet_tagger.h5", include_optimizer=False)
    onnx.save(to_onnx(model), HERE / "jet_tagger.onnx")
    np.save(HERE / "jet_test_x.npy", x_test)
    np.save(HERE / "jet_test_y.npy", y_test)
    print(f"jet_tagger: {model.count_params():,} parameters, {accuracy:.2%} of {HELD_OUT} new samples right")


if __name__ == "__main__":
    main()
