"""Record what the quantizers of qkeras answer, into tests/data/qkeras. Needs the extra `tensorflow`.

    python tests/record/qkeras_quantizers.py

The tests compare with these files; `pytest -m live` checks that they are still what qkeras says.
"""

import json
import os
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[1] / "data" / "qkeras"


def start():
    """Import qkeras on tf-keras, quietly, on the CPU."""
    os.environ.update(
        TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import qkeras
        import tensorflow as tf
        from tensorflow.python.ops import array_ops
        from tensorflow.python.util import nest
    if not hasattr(array_ops, "stack"):
        array_ops.stack = tf.stack  # TensorFlow 2.21 has moved what QConv2DTranspose of qkeras 0.9.0 calls
    if not hasattr(array_ops, "unstack"):
        array_ops.unstack = tf.unstack  # and what QGRU calls for its two biases
    if not hasattr(nest, "is_sequence"):
        nest.is_sequence = nest.is_nested  # TensorFlow 2.21 has renamed what QSimpleRNN and QGRU call
    return qkeras


def grid(**choices):
    """All combinations of keyword arguments."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


def bits_cases():
    """quantized_bits on tensors."""
    common = grid(bits=[2, 4, 7], integer=[0, 1, 3], symmetric=[0, 1], keep_negative=[True, False], alpha=[1, None])
    one = grid(bits=[1], integer=[0, 2], symmetric=[0, 1], keep_negative=[True, False], alpha=[1.0, 0.5])
    scaled = grid(bits=[4, 6], integer=[0, 2], alpha=[0.5, 2.0, 0.3, 1.7], keep_negative=[True, False])
    wide = grid(bits=[12, 16, 24, 25, 26, 32], integer=[0, 4], alpha=[1], symmetric=[0, 1])
    return [dict(c, use_ste=False) for c in [*common, *one, *scaled, *wide]]


def relu_cases():
    """quantized_relu on tensors."""
    plain = grid(bits=[1, 3, 6, 25], integer=[0, 1, 3])
    sloped = grid(bits=[1, 2, 4, 6], integer=[0, 2], negative_slope=[0.0625, 0.25, 1.0, 2.0])
    bounded = grid(
        bits=[4, 6], integer=[1, 3], relu_upper_bound=[None, 0.0, 0.7, 1.25, 6.0], is_quantized_clip=[True, False]
    )
    sigmoid = grid(bits=[2, 4, 6], integer=[0, 2], use_sigmoid=[1], negative_slope=[0.0, 0.125, 1.0])
    both = grid(bits=[5], integer=[2], negative_slope=[0.5], relu_upper_bound=[2.0], is_quantized_clip=[False])
    return [dict(c, use_ste=False) for c in [*plain, *sloped, *bounded, *sigmoid, *both]]


def po2_cases():
    """quantized_po2 and quantized_relu_po2 on tensors."""
    common = grid(
        bits=[2, 4, 5],
        max_value=[None, 0.25, 1, 3.0, 4],
        quadratic_approximation=[False, True],
        log2_rounding=["rnd", "floor"],
    )
    signed = [("quantized_po2", dict(c, use_ste=False)) for c in common]
    sloped = [dict(c, negative_slope=s) for c, s in product(common[::3], [0.25, 1.0])]
    return signed + [("quantized_relu_po2", dict(c, use_ste=False)) for c in [*common, *sloped]]


def other_cases():
    """The rest of them on tensors."""
    cases = [
        ("quantized_tanh", c) for c in grid(bits=[1, 2, 4, 8], symmetric=[False, True], use_real_tanh=[False, True])
    ]
    cases += [
        ("quantized_sigmoid", c)
        for c in grid(bits=[1, 2, 4, 8], symmetric=[False, True], use_real_sigmoid=[False, True])
    ]
    cases += [("quantized_ulaw", c) for c in grid(bits=[2, 4, 6], integer=[0, 1], symmetric=[0, 1], u=[255.0, 15.0])]
    cases += [
        ("quantized_hswish", dict(c, use_ste=False))
        for c in grid(bits=[4, 8], integer=[0, 2], symmetric=[0, 1], alpha=[None, 0.5])
    ]
    cases += [("quantized_hswish", {"bits": 6, "integer": 2, "relu_shift": 2, "relu_upper_bound": 4, "use_ste": False})]
    cases += [("binary", c) for c in grid(use_01=[False, True], alpha=[None, 1, 0.5, 0.3])]
    cases += [("ternary", c) for c in grid(threshold=[None, 0.5, 0.0, 0.1], alpha=[None, 1, 2.0, 0.3])]
    cases += [
        ("stochastic_binary", c) for c in grid(alpha=[None, 1], temperature=[6.0], use_real_sigmoid=[True, False])
    ]
    return cases + [("stochastic_ternary", c) for c in grid(alpha=[None, 1], threshold=[None, 0.25])]


def tensor_cases():
    """Every (class, parameters) that is tried on tensors."""
    return [
        *(("quantized_bits", c) for c in bits_cases()),
        *(("quantized_relu", c) for c in relu_cases()),
        *po2_cases(),
        *other_cases(),
    ]


def tensor_inputs():
    """Multiples of 1/64 in [-9, 9], of 1/4 in [-64, 64], and powers of two: ties, edges and outside of every range."""
    powers = 2.0 ** np.arange(-12, 11)
    fine, coarse = np.arange(-576, 577) / 64, np.arange(-256, 257) / 4
    return np.unique(np.concatenate([fine, coarse, powers, -powers])).astype(np.float32)


def weight_cases():
    """Every (class, parameters) that is tried on weights, beyond those on tensors."""
    bits = grid(bits=[1, 2, 4, 8], integer=[0, 1], alpha=["auto_po2"]) + grid(
        bits=[2, 4, 8], integer=[0, 1], alpha=["auto"]
    )
    bits += grid(bits=[4], integer=[0, 1], alpha=["auto", "auto_po2"], scale_axis=[0, 1], keep_negative=[False])
    bits += grid(bits=[4], alpha=[1, 0.3], symmetric=[0, 1]) + grid(bits=[1], alpha=[1, 0.3])
    cases = [("quantized_bits", dict(c, use_ste=False)) for c in bits]
    cases += [("quantized_bits", {"bits": 4, "alpha": "auto_po2"}), ("quantized_bits", {"bits": 4, "alpha": "auto"})]
    cases += [("quantized_hswish", {"bits": 4, "alpha": a, "use_ste": False}) for a in ("auto", "auto_po2")]
    cases += [("binary", c) for c in grid(use_01=[False, True], alpha=[1, "auto", "auto_po2"])]
    cases += [("ternary", c) for c in grid(alpha=[1, "auto", "auto_po2"], number_of_unrolls=[1, 5])]
    cases += [("ternary", {"alpha": "auto_po2", "use_stochastic_rounding": True})]
    cases += [("stochastic_binary", {"alpha": "auto_po2"}), ("stochastic_ternary", {"alpha": "auto_po2"})]
    return cases + [("quantized_po2", {"bits": b, "use_ste": False}) for b in (3, 4, 8)]


def weight_inputs():
    """Arrays of the shapes that layers have: kernels of dense, 1-D, 2-D and depthwise layers, and a bias."""
    rng = np.random.default_rng(7)
    shapes = {"dense": (12, 5), "conv1d": (3, 4, 6), "conv2d": (3, 3, 2, 4), "bias": (7,)}
    arrays = {name: rng.normal(0, 0.6, shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["dense"][:, 2] = 0.0
    arrays["bias"][3] = 0.0
    return arrays


def answer(qkeras, name, parameters, x):
    """What qkeras makes of an array."""
    return np.asarray(getattr(qkeras.quantizers, name)(**parameters)(x), np.float32)


def record():
    """Ask qkeras: {file: {array name: array}}."""
    qkeras = start()
    x = tensor_inputs()
    cases = tensor_cases()
    answers = np.stack([answer(qkeras, name, parameters, x) for name, parameters in cases])
    tensors = {"x": x, "cases": np.array(json.dumps(cases)), "y": answers}
    weights = {"cases": np.array(json.dumps(weight_cases())), **{f"x/{k}": v for k, v in weight_inputs().items()}}
    for i, (name, parameters) in enumerate(weight_cases()):
        for shape, values in weight_inputs().items():
            if shape != "bias" or parameters.get("scale_axis", 0) == 0:
                weights[f"{i}/{shape}"] = answer(qkeras, name, parameters, values)
    return {"tensors.npz": tensors, "weights.npz": weights}


def main():
    """Write the files."""
    DATA.mkdir(parents=True, exist_ok=True)
    for name, arrays in record().items():
        np.savez_compressed(DATA / name, **arrays)
        sys.stdout.write(f"{name}: {(DATA / name).stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
