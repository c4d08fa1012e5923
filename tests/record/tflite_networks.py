"""Record what TensorFlow's reference kernels give for the MLPerf Tiny networks: tests/data/tflite/networks.npz.

    python -m tests.record.tflite_networks [FOLDER]

Inputs follow from a seed (``inputs``), so that only outputs are stored. Needs TensorFlow 2.21.
"""

import sys
from pathlib import Path

import numpy as np

from ..fuzz.tflite_build import Reference

FILE = Path(__file__).parents[1] / "data/tflite/networks.npz"
MODELS = Path(__file__).parents[3] / "shared/models/mlperf_tiny"
SHAPES = {"ad01": (640,), "dscnn_kws": (49, 10, 1), "resnet8": (32, 32, 3), "vww_96": (96, 96, 3)}
COUNT = {"vww_96": 6}
NAMES = [f"{n}_{k}" for n in SHAPES for k in ("int8", "fp32") if (n, k) != ("dscnn_kws", "fp32")]
"""The float file of dscnn_kws is a hybrid one."""


def inputs(name: str, count: int | None = None) -> np.ndarray:
    """Draw inputs [count, *shape]: half of them noise, half smooth as pictures are."""
    network, kind = name.rsplit("_", 1)
    rng = np.random.default_rng(len(name))
    count, shape = count or COUNT.get(network, 24), SHAPES[network]
    noise = rng.integers(-128, 128, (count // 2, *shape))
    steps = rng.normal(0, 12, (count - count // 2, *shape)).cumsum(axis=1)
    smooth = np.clip(np.rint(steps + rng.normal(0, 40, (len(steps), *(1,) * len(shape)))), -128, 127)
    x = np.concatenate([noise, smooth])
    return x.astype(np.int8) if kind == "int8" else (x / 64).astype(np.float32)


def main() -> None:
    """Write the outputs."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS
    outputs = {}
    for name in NAMES:
        outputs[name] = Reference((folder / f"{name}.tflite").read_bytes())([inputs(name)[:, None]])[0][:, 0]
    np.savez_compressed(FILE, **outputs)


if __name__ == "__main__":
    main()
