"""Record every function of 8 and 16 bits over every integer: tests/data/tflite/tables.npz.

PYTHONPATH=src:. python tests/record/tflite_tables.py      (tensorflow 2.21)

Of 8 bits the 256 results, of 16 bits a hash of the 65,536.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np

from tests.fuzz.tflite_build import ModelSpec, Reference, Spec, Step, to_bytes

PATH = Path(__file__).parent.parent / "data" / "tflite" / "tables.npz"
TYPES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
KERNELS = {
    "LOGISTIC": ("INT8", "UINT8", "INT16"), "TANH": ("INT8", "UINT8", "INT16"), "RELU": ("INT8", "UINT8", "INT16"),
    "RELU6": ("INT8", "UINT8", "INT16"), "RELU_N1_TO_1": ("INT8", "UINT8"), "RELU_0_TO_1": ("INT8", "UINT8"),
    "LEAKY_RELU": ("INT8", "UINT8", "INT16"), "GELU": ("INT8", "UINT8"), "HARD_SWISH": ("INT8", "UINT8"),
    "EXP": ("INT8", "INT16"), "LOG": ("INT8", "INT16"), "ABS": ("INT8", "INT16"), "NEG": ("INT8", "INT16"),
    "RSQRT": ("INT8",),
}  # fmt: skip
SCALES = 24


def cases(op: str, kind: str) -> Iterator[tuple[ModelSpec, np.ndarray]]:
    """Scales and zero points, drawn; powers of two among them, for which results fall on halves."""
    rng = np.random.default_rng(sum(map(ord, op + kind)))
    low, high = TYPES[kind]
    wide = kind == "INT16"
    for k in range(SCALES // 3 if wide else SCALES):
        exponents = (-15, -9) if wide else (-9, 0)
        scale = 2.0 ** rng.uniform(*exponents) if k % 3 else 2.0 ** int(rng.integers(*exponents))
        made = scale * (rng.uniform(0.3, 8.0) if k % 2 else 2.0 ** int(rng.integers(-1, 4)))
        zero, end = (0, 0) if wide else (int(rng.integers(low, high + 1)) for _ in range(2))
        if op == "RSQRT":
            zero = low
        if op == "LOGISTIC" or (op == "TANH" and wide):
            made = {"INT8": 1 / 256, "UINT8": 1 / 256, "INT16": 1 / 32768}[kind]
        if op == "EXP":
            made = float(np.exp(min(scale * max(high - zero, zero - low), 30.0))) / 1000
            if scale * max(high - zero, zero - low) > 30:
                continue
        options = {"LEAKY_RELU": {"alpha": float(rng.choice([0.25, 0.1, -0.7, 1.3]))}}.get(op, {})
        if op == "GELU":
            options = {"approximate": bool(k % 2)}
        spec = [Spec((1, high - low + 1), kind, (float(np.float32(s)),), (z,)) for s, z in ((scale, zero), (made, end))]
        step = Step(op, [0], [1], options)
        yield ModelSpec(spec, [step], [0], [1]), np.arange(low, high + 1).astype(kind.lower())[None]


def record() -> None:
    """Write every table that the kernels give; models that they refuse are left out."""
    arrays = {}
    for op, kinds in KERNELS.items():
        for kind in kinds:
            for k, (model, x) in enumerate(cases(op, kind)):
                try:
                    (y,) = Reference(to_bytes(model))([x[None]])
                except (RuntimeError, ValueError):
                    continue
                arrays[f"{op} {kind} {k}"] = np.array(digest(y)) if kind == "INT16" else y.ravel()
    PATH.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(PATH, **arrays)


def digest(y: np.ndarray) -> str:
    """A short hash of stored integers."""
    return blake2b(np.ascontiguousarray(y, np.int16).tobytes(), digest_size=8).hexdigest()


if __name__ == "__main__":
    record()
