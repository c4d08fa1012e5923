"""What this machine has, and what each missing piece would enable."""

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# every kind of file is read with the core alone
CORE = ("gatewright", "numpy", "h5py", "onnx", "hls4ml", "ziglang")
EXTRAS = {
    "tensorflow": ("tensorflow", "live Keras models on TensorFlow, and the tests against it"),
    "tf-keras": ("tensorflow", "live tf-keras models"),
    "qkeras": ("tensorflow", "live QKeras models, and the tests against it"),
    "HGQ2": ("hgq", "live HGQ2 models, and the tests against it"),
    "torch": ("torch", "live PyTorch modules, and the tests against it"),
    "torchao": ("torch", "the tests against PT2E quantization"),
    "onnxruntime": ("onnxruntime", "the tests against ONNX Runtime"),
    "qonnx": ("qonnx", "the tests against QONNX"),
    "apache-tvm": ("tvm", "libraries for processors: boards of kind cpu and phone"),
    "wgpu": ("gpu", "running projects for WebGPU on this machine's device"),
    "da4ml": ("distributed-arithmetic", "--strategy distributed_arithmetic"),
    "optuna": ("explore", "gatewright explore"),
    "distributed": ("explore", "gatewright explore --workers"),
}
TOOLS = {
    "g++": "compiles the C simulation fastest; the ziglang package stands in for it",
    "nvcc": "compiles kernels for NVIDIA's processors where NVRTC is missing",
    "vitis_hls": "synthesises the projects that Gatewright writes (Vitis HLS)",
    "vitis-run": "synthesises the projects that Gatewright writes (Vitis 2024 and later)",
    "vivado_hls": "synthesises projects of --hls vivado",
}


def examine() -> dict[str, Any]:
    """Look at versions, compilers and extras. Nothing heavy is imported."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": [
            {"name": n, "version": _version(n), "enables": "the core", "install": "pip install gatewright"}
            for n in CORE
        ],
        "extras": [
            {"name": n, "version": _version(n), "enables": why, "install": f"pip install 'gatewright[{extra}]'"}
            for n, (extra, why) in EXTRAS.items()
        ],
        "tools": [{"name": n, "path": shutil.which(n), "enables": why} for n, why in TOOLS.items()],
        "ready": _version("hls4ml") is not None
        and (shutil.which("g++") is not None or _version("ziglang") is not None),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
