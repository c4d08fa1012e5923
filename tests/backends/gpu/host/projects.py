"""Hand-written projects for graphics processors: a product of two matrices by tiles, then bias and saturation."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.graph import NDArray

SOURCES = Path(__file__).with_name("sources")
FILES = {
    "cuda": {"product": "kernels.cu", "narrow": "kernels.cu"},
    "opencl": {"product": "kernels.cl", "narrow": "kernels.cl"},
    "metal": {"product": "kernels.metal", "narrow": "kernels.metal"},
    "webgpu": {"product": "product.wgsl", "narrow": "narrow.wgsl"},
}
N = 64
LANGUAGES = tuple(FILES)


def weights() -> NDArray:
    """The right matrix, transposed: int8 [column, step]."""
    return np.random.default_rng(1).integers(-128, 128, (N, N)).astype(np.int8)


def bias() -> NDArray:
    return np.random.default_rng(2).integers(-(2**14), 2**14, N).astype(np.int32)


def expected(x: NDArray) -> NDArray:
    """[batch, 64, 64] int8 -> the same."""
    total = x.astype(np.int32) @ weights().astype(np.int32).T + bias()
    return np.clip(total >> 8, -128, 127).astype(np.int8)


def samples(count: int) -> NDArray:
    return np.random.default_rng(3).integers(-128, 128, (count, N, N)).astype(np.int8)


def plan(language: str, **changes: Any) -> dict[str, Any]:
    stored = "int32" if language == "webgpu" else "int8"
    size = N * N * np.dtype(stored).itemsize
    port = {"shape": [N, N], "type": "int8", "bytes": size} | ({"stored": "int32"} if language == "webgpu" else {})
    files = FILES[language]
    data = constants(language)
    found = {
        "schema": 1, "name": "product", "language": language, "arch": "sm_90" if language == "cuda" else None,
        "inputs": [{"name": "x", **port}], "outputs": [{"name": "y", **port}], "arena_bytes": 4 * N * N,
        "constants": {"file": "constants.bin", "bytes": len(data), "sha256": sha256(data).hexdigest()},
        "kernels": {
            "k0": {
                "source": files["product"], "entry": "product_kernel", "threads": [16, 16, 1],
                "arguments": [stored, stored, "int32"], "writes": [False, False, True],
            },
            "k1": {
                "source": files["narrow"], "entry": "narrow_kernel", "threads": [64, 1, 1],
                "arguments": ["int32", "int32", stored], "writes": [False, False, True],
            },
        },
        "launches": [
            {
                "kernel": "k0", "blocks": [4, 4, 1], "layer": "dense", "macs": N**3,
                "arguments": [
                    {"buffer": "in0", "offset": 0, "bytes": size},
                    {"buffer": "constants", "offset": 256, "bytes": size},
                    {"buffer": "arena", "offset": 0, "bytes": 4 * N * N},
                ],
            },
            {
                "kernel": "k1", "blocks": [N, 1, 1], "layer": "dense_bias", "macs": 0,
                "arguments": [
                    {"buffer": "arena", "offset": 0, "bytes": 4 * N * N},
                    {"buffer": "constants", "offset": 0, "bytes": 4 * N},
                    {"buffer": "out0", "offset": 0, "bytes": size},
                ],
            },
        ],
    }  # fmt: skip
    return found | changes


def constants(language: str) -> bytes:
    right = weights().astype(np.int32 if language == "webgpu" else np.int8)
    return bias().tobytes() + right.tobytes()


def files(language: str) -> dict[str, bytes]:
    """The project: path -> content."""
    found = {f"src/{name}": (SOURCES / name).read_bytes() for name in set(FILES[language].values())}
    return found | {"src/plan.json": json.dumps(plan(language)).encode(), "src/constants.bin": constants(language)}


def texts(language: str) -> dict[str, str]:
    """The sources by name."""
    return {name: (SOURCES / name).read_text() for name in set(FILES[language].values())}
