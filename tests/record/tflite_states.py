"""Record streaming networks with resource variables, and what TensorFlow's reference kernels give step by step:
tests/data/tflite/states.zip.

    python -m tests.record.tflite_states

Each network reads a frame of 8 numbers and gives one row. Needs TensorFlow 2.21.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.graph.file import archive, npy

FILE = Path(__file__).parents[1] / "data/tflite/states.zip"
STEPS, FRAME = 20, 8
KINDS = {"float": "float32", "int8": "int8", "int16": "int16", "mixed": "int8"}
"""How the networks are quantized; ``mixed``: what they remember stays in floating point."""


def network(tf: Any, name: str) -> Any:
    """Give a module whose ``step`` takes a frame [1, FRAME]."""
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> Any:
        return tf.constant(rng.normal(0, 0.4, shape), tf.float32)

    class Window(tf.Module):  # type: ignore[misc]
        """A convolution over time that keeps the frames before; two layers, each with a buffer."""

        def __init__(self) -> None:
            self.frames = tf.Variable(tf.zeros((1, 2, FRAME)))
            self.rows = tf.Variable(tf.zeros((1, 3, 6)))
            self.first, self.second, self.last = weights(3 * FRAME, 6), weights(24, 6), weights(6, 4)

        @tf.function(input_signature=[tf.TensorSpec((1, FRAME))])
        def step(self, x: Any) -> Any:
            window = tf.concat([self.frames, x[:, None]], 1)
            self.frames.assign(window[:, 1:])
            row = tf.nn.relu(tf.matmul(tf.reshape(window, (1, -1)), self.first))
            window = tf.concat([self.rows, row[:, None]], 1)
            self.rows.assign(window[:, 1:])
            row = tf.nn.relu(tf.matmul(tf.reshape(window, (1, -1)), self.second))
            return tf.matmul(row, self.last)

    class Memory(tf.Module):  # type: ignore[misc]
        """An average that fades and begins away from zero: it is read, assigned, read again, and an output too."""

        def __init__(self) -> None:
            self.mean = tf.Variable(tf.constant(np.linspace(-0.5, 0.5, FRAME)[None], tf.float32))
            self.scale = tf.Variable(tf.constant(np.full((1, FRAME), 0.5), tf.float32))

        @tf.function(input_signature=[tf.TensorSpec((1, FRAME))])
        def step(self, x: Any) -> Any:
            before = self.mean.read_value()
            self.mean.assign(before * 0.75 + x * 0.25)
            after = self.mean.read_value()
            return tf.concat([after, before, (x - after) * self.scale], 1)

    return {"window": Window, "memory": Memory}[name]()


def frames() -> np.ndarray:
    """Draw what is fed: [STEPS, FRAME] in -1..1."""
    return np.random.default_rng(3).uniform(-1, 1, (STEPS, FRAME)).astype(np.float32)


def convert(tf: Any, module: Any, kind: str) -> bytes:
    """Convert with resource variables, quantized on frames of other seeds."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.step.get_concrete_function()], module)
    converter.experimental_enable_resource_variables = True
    if kind != "float":
        converter._experimental_variable_quantization = kind != "mixed"
        samples = np.random.default_rng(4).uniform(-1, 1, (200, 1, FRAME)).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([s] for s in samples)
        sets, name = tf.lite.OpsSet, KINDS[kind]
        wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [wide if name == "int16" else sets.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(name)
    made: bytes = converter.convert()
    return made


def run(tf: Any, model: bytes, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what is fed, as the model takes it, and its outputs: [steps, ...] each."""
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    if entry["dtype"] != np.float32:
        scale, zero = entry["quantization"]
        info = np.iinfo(entry["dtype"])
        x = np.clip(np.rint(x / scale) + zero, info.min, info.max).astype(entry["dtype"])
    rows = []
    for frame in x:
        interpreter.set_tensor(entry["index"], frame[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(end["index"])[0])
    return x, np.stack(rows)


def main() -> None:
    """Write models, inputs and outputs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    members = {}
    for name in ("window", "memory"):
        for kind in KINDS:
            model = convert(tf, network(tf, name), kind)
            x, y = run(tf, model, frames())
            members |= {f"{name}_{kind}.tflite": model, f"{name}_{kind}_x.npy": npy(x), f"{name}_{kind}_y.npy": npy(y)}
    FILE.write_bytes(archive(members))


if __name__ == "__main__":
    main()
