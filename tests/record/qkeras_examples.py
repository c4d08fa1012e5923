"""Record what qkeras answers before the softmax for trained models of hls4ml's examples. Needs the extra `tensorflow`.

    python tests/record/qkeras_examples.py

The models lie in a folder beside the repository. `qkeras-v3_3layer.keras` is `qkeras_3layer` in the format of Keras 3.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "qkeras"
MODELS = HERE.parents[1].parent / "shared" / "models" / "hls4ml_examples"
COUNTS = {"qkeras_3layer": 500, "qkeras_mnist_cnn": 40}


def samples(shape, count):
    """Inputs on a grid of 1/256: the images from 0 to 1, other numbers from -2 to 2."""
    low, high = (0, 257) if len(shape) > 1 else (-512, 513)
    return (np.random.default_rng(11).integers(low, high, (count, *shape)) / 256).astype(np.float32)


def record():
    """Ask qkeras: {model: outputs of the layer before the softmax}."""
    spec = spec_from_file_location("qkeras_quantizers", HERE / "qkeras_quantizers.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.start()
    import tf_keras as keras
    from qkeras.utils import quantized_model_from_json

    answers = {}
    for name, count in COUNTS.items():
        model = quantized_model_from_json((MODELS / f"{name}.json").read_text())
        model.load_weights(MODELS / f"{name}_weights.h5")
        logits = keras.Model(model.inputs, model.layers[-2].output)
        answers[name] = np.asarray(logits.predict(samples(model.input_shape[1:], count), verbose=0))
    return answers


def main():
    """Write the file."""
    np.savez_compressed(DATA / "examples.npz", **record())
    sys.stdout.write(f"examples.npz: {(DATA / 'examples.npz').stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
